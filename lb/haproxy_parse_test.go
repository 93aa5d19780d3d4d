package lb

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const seeds = "../testdata/lb"

// captured are the replies of real HAProxys; none at all is a broken test.
func captured(t testing.TB) map[string]string {
	files, err := filepath.Glob(seeds + "/haproxy-*-batch.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captured replies in %s: %v", seeds, err)
	}
	all := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = string(text)
	}
	return all
}

// Run it with -fuzzminimizetime 10x: the seeds are long, and making an input shorter
// takes a minute each otherwise.
func FuzzParse(f *testing.F) {
	for _, text := range captured(f) {
		f.Add(text)
		f.Add("== haproxy\n" + text + "== old 12\n" + text[strings.Index(text, "# pxname"):] + "== socks 1 2\n== lost\n== end\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseBatch(text); err == nil {
			s.assign([]string{"shop"}, map[hostPort]string{{"127.0.0.11", 18080}: "web1"})
			_, _ = s.targets("web1")
			s.seat("web1")
		}
		if s, err := parseFrames(text); err == nil && s.gen == (generation{}) {
			t.Error("a state without a process")
		}
	})
}

func TestAWholeReplyIsReadAndNoShorterOne(t *testing.T) {
	for name, text := range captured(t) {
		s, err := parseBatch(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if v := s.find("shop/web2"); v == nil || v.fall != 3 || v.rise != 2 || v.health != 4 || !v.full() {
			t.Errorf("%s: shop/web2 read as %+v", name, v)
		}
		for n := range len(text) - 1 {
			if _, err := parseBatch(text[:n]); err == nil {
				t.Fatalf("%s: cut at %d of %d bytes and no error", name, n, len(text))
			}
		}
	}
}

func TestNamesAndAddressesAreMatched(t *testing.T) {
	s, err := parseBatch(captured(t)["haproxy-2.6.12-batch.txt"])
	if err != nil {
		t.Fatal(err)
	}
	addrs := map[hostPort]string{}
	for host, a := range map[string]string{"six": "[0:0::1]:18080", "loc": "localhost:18080", "web2": "127.0.0.12:18080"} {
		hp, err := parseHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		addrs[hp] = host
	}
	s.assign([]string{"shop", "api", "sticky2"}, addrs)
	for host, want := range map[string]string{"six": "sticky2/six UP 1/3", "loc": "sticky2/loc no check", "web2": "shop/web2 UP, api/app1 no check, api/app2 no check"} {
		if got := s.seat(host).Detail; got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
	}
}

// The script counts with awk what Seats counts in Go; they must never differ.
func TestTheScriptCountsAsSeatsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := NewHAProxy(HAProxyConfig{Upstreams: []string{"shop", "api"}, Socket: "/s", Hosts: map[string][]string{
			"web1": {"10.0.0.1:80", "10.0.0.1:81"}, "web2": {"10.0.0.2:80"}, "web3": {"10.0.0.3:80"}}}, nil)
		s, text := drawn(t)
		s.assign(h.cfg.Upstreams, h.addrs)
		minServing := rapid.IntRange(0, 3).Draw(t, "min")
		got := decided(t, h, text, fmt.Sprintf("act claim web1\nmin %d", minServing))
		if want := claimWanted(s, minServing); !strings.HasPrefix(got, want) {
			t.Fatalf("awk says %q, Go %q, of\n%s", got, want, text)
		}
	})
}

// claimWanted is the rule for a claim of web1, said once more.
func claimWanted(s *snapshot, minServing int) string {
	mine := s.seat("web1")
	switch mine.State {
	case StateAbsent:
		return "fd-lb refused absent"
	case StateDrain, StateMaint:
		return "fd-lb refused out"
	}
	others := 0
	for _, host := range []string{"web2", "web3"} {
		if s.seat(host).Serving {
			others++
		}
	}
	if mine.Serving && others < minServing {
		return fmt.Sprintf("fd-lb refused floor %d %d", others, minServing)
	}
	for _, v := range s.of("web1") {
		if left := othersIn(s, v.pool); minServing > 0 && !v.backup && v.serving() && left == 0 {
			return fmt.Sprintf("fd-lb refused floor 0 %d %s", minServing, v.pool)
		}
	}
	if mine.Serving {
		return "fd-lb was 1"
	}
	return "fd-lb was 0"
}

func othersIn(s *snapshot, pool string) int {
	n := 0
	for _, v := range s.servers {
		if v.pool == pool && v.host != "" && v.host != "web1" && !v.backup && v.serving() {
			n++
		}
	}
	return n
}

// drawn is a random state, as a snapshot and as HAProxy would write it.
func drawn(t *rapid.T) (*snapshot, string) {
	var state, stat strings.Builder
	n := rapid.IntRange(0, 6).Draw(t, "servers")
	for i := range n {
		pool := rapid.SampledFrom([]string{"shop", "api", "other"}).Draw(t, "pool")
		host, port := rapid.IntRange(1, 4).Draw(t, "host"), rapid.SampledFrom([]int{80, 80, 81}).Draw(t, "port")
		admin := rapid.SampledFrom([]int{0, 0, 0, 4, 64, 1, 5, 8, 12, 16, 2, 32}).Draw(t, "admin")
		op, weight := rapid.SampledFrom([]int{2, 2, 2, 1, 0, 3}).Draw(t, "op"), rapid.SampledFrom([]int{1, 1, 100, 0}).Draw(t, "weight")
		bck := rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "bck")
		fmt.Fprintf(&state, "1 %s %d s%d 10.0.0.%d %d %d %d 0 6 0 - %d\n", pool, i, i, host, op, admin, weight, port)
		fmt.Fprintf(&stat, "%s,s%d,0,0,0,0,0,0,UP,%d,%d,0,,2,,,0,0,0,0,0,0,0,2,3,,,http\n", pool, i, 1-bck, bck)
	}
	text := "Pid: 7\nStart_time_sec: 9\n\n1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_check_health srv_check_state srv_agent_state srv_fqdn srv_port\n" +
		state.String() + "\n# pxname,svname,qcur,scur,stot,econ,wretr,wredis,status,act,bck,chkdown,tracked,type,check_status,check_code,hrsp_5xx,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_other,eresp,check_rise,check_fall,addr,cookie,mode\n" + stat.String() + "\n"
	s, err := parseBatch(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return s, text
}

// decided runs the awk program as the script does.
func decided(t *rapid.T, h *HAProxy, text, act string) string {
	cmd := exec.CommandContext(context.Background(), "awk", code(decideAwk))
	cmd.Stdin = strings.NewReader(h.table() + "\n" + act + "\n== state\n" + text)
	out, _ := cmd.Output() // its status is 41 for a refusal
	return string(out)
}
