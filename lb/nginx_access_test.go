package lb_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

func counted(ctx context.Context, d lbtest.Driver, host string) (lb.Counters, error) {
	all, err := d.Counters(ctx, []string{host})
	return all[host], err
}

// What people write: the fields at the end, in the middle, as JSON, with all that a
// regular expression would take for its own.
func TestNginxAccessLogTellsWhoAnsweredWhat(t *testing.T) {
	for name, format := range map[string]string{
		"at the end": `'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" ' '$upstream_addr $upstream_status $upstream_response_time'`,
		"by name":    `'t=$time_iso8601 (u=${upstream_addr}|s=$upstream_status|c=$upstream_connect_time) "$http_user_agent"'`,
		"JSON":       `escape=json '{"ua":"$http_user_agent","status":"$upstream_status","to":"$upstream_addr","uri":"$request_uri"}'`,
		"alone":      `'$upstream_status $upstream_addr'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := lbtest.NewNginx(t)
			more := fmt.Sprintf("  log_format up %s;\n  access_log %s/access.log up;\n  access_log %s/access.log combined;\n", format, g.Dir, g.Dir)
			d, b := logging(t, g, more)
			if why, err := d.Blind(lbtest.Within(t, 5*time.Second)); why != "" || err != nil {
				t.Errorf("blind: %s, %v", why, err)
			}
			counters(t, d) // from here on
			for range 10 {
				_, err := lbtest.Get(g.Addr, "/", "")
				must(t, err)
				_, _ = lbtest.Get(g.Addr, "/broken", "")
			}
			now := counters(t, d)
			one, other := now["web1"], now["web2"]
			if one.Requests+other.Requests != 20 || one.Errors5xx+other.Errors5xx != 10 || one.Requests < 5 || other.Requests < 5 {
				t.Errorf("20 requests, 10 of them broken: %+v", now)
			}
			b["web1"].Kill()
			for range 6 { // which web2 answers, some of them at the second try
				_, err := lbtest.Get(g.Addr, "/", "")
				must(t, err)
			}
			then := counters(t, d)
			if then["web1"].Errors5xx == one.Errors5xx || then["web2"].Requests-other.Requests != 6 || then["web2"].Errors5xx != other.Errors5xx {
				t.Errorf("after retries: %+v, then %+v", now, then)
			}
		})
	}
}

// logging is a nginx with a log in front of two hosts.
func logging(t *testing.T, g *lbtest.Nginx, more string) (*lb.Nginx, map[string]*lbtest.Backend) {
	b := lbtest.NewBackends(t, 2)
	format, logs, _ := strings.Cut(more, "  access_log")
	site := strings.Replace(g.Site("shop"), "server {\n", "server {\n  access_log"+logs, 1)
	g.Write("nginx.conf", g.Main(format+lbtest.Upstream("shop", b, " max_fails=0")+site))
	g.Start()
	time.Sleep(70 * time.Millisecond)
	return lb.NewNginx(g.Driver(b, "shop"), lbtest.Shell{}), b
}

func counters(t *testing.T, d *lb.Nginx) map[string]lb.Counters {
	t.Helper()
	all, err := d.Counters(lbtest.Within(t, 10*time.Second), []string{"web1", "web2"})
	must(t, err)
	return all
}

// A log that says less, or says it late, or not always, is none.
func TestNginxLogsThatDoNotTellAreNotRead(t *testing.T) {
	for name, more := range map[string]string{
		"no fields": "  access_log DIR/access.log combined;\n",
		"late":      "  log_format up '$upstream_addr $upstream_status';\n  access_log DIR/access.log up buffer=32k flush=1h;\n",
		"not all":   "  log_format up '$upstream_addr $upstream_status';\n  access_log DIR/access.log up if=$arg_log;\n",
		"half":      "  log_format up '$upstream_addr';\n  access_log DIR/access.log up;\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := lbtest.NewNginx(t)
			d, _ := logging(t, g, strings.ReplaceAll(more, "DIR", g.Dir))
			counters(t, d)
			for range 4 {
				_, err := lbtest.Get(g.Addr, "/", "")
				must(t, err)
			}
			if c := counters(t, d)["web1"]; c.Requests != 0 || c.Generation == "" {
				t.Errorf("%+v", c)
			}
			const want = "no access log says which host answered what: no requests are counted; mend that with a log_format that has $upstream_addr and $upstream_status, " +
				"and an access_log of it without buffer, gzip and if"
			if why, err := d.Blind(lbtest.Within(t, 5*time.Second)); why != want || err != nil {
				t.Errorf("blind: %s, %v", why, err)
			}
		})
	}
}

// So is a HAProxy that does not read requests.
func TestHAProxyInModeTCPCountsNoRequests(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{"http": "", "tcp": `raw has mode tcp: no requests are counted; "mode http" in it mends that`} {
		_, d, _ := start(t, 2, "backend shop\n  server web1 @web1\n  server web2 @web2\nbackend raw\n  mode "+mode+"\n  server web1 @web1\n  server web2 @web2\n", nil, "shop", "raw")
		if why, err := d.Blind(lbtest.Within(t, 5*time.Second)); why != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", mode, why, err, want)
		}
	}
}
