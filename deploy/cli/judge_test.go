package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// The judge, on what a real HAProxy counted of real requests: web1 is the canary.
func TestTheJudgeAtAHAProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		every, asked int // of web1's requests one fails; requests in all
		dead         bool
		want         string
	}{
		{"3 % answer 5xx", 33, 900, false, "fail: 9 of 300 requests failed, 0 of 600 on the old release (p = 4.7e-05)"},
		{"0.1 % do", 1000, 3000, false, "pass: 1 of 1000 requests failed, 0 of 2000 on the old release; more than 0.47 % failing is excluded"},
		{"no traffic", 0, 0, false, "inconclusive: no request was counted"},
		{"nobody listens, and requests are tried elsewhere", 0, 90, true, "fail: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			backends := lbtest.NewBackends(t, 3)
			h := lbtest.StartHAProxy(t, "backend shop\n  balance roundrobin\n  retries 1\n  option redispatch 1\n"+lbtest.Servers(backends, ""))
			b := &balancer{driver: lb.NewHAProxy(h.Config(backends, "shop"), lbtest.Shell{})}
			hosts := lbtest.Names(backends)
			before := counted(t, b, hosts)
			backends["web1"].Fails.Store(int64(c.every))
			if c.dead {
				backends["web1"].Kill()
			}
			ask(t, h.Addr, c.asked)
			now, old, whole := deploy.Between(before, counted(t, b, hosts), "web1", hosts[1:])
			v, said := deploy.Say(now.Tally(), old.Tally(), 200, 0.01)
			if got := fmt.Sprintf("%s: %s", v, said); !whole || got != c.want && !(c.dead && strings.HasPrefix(got, c.want)) {
				t.Errorf("got %s, want %s (%+v, %+v)", got, c.want, now, old)
			}
		})
	}
}

func counted(t *testing.T, b *balancer, hosts []string) map[string]deploy.Counters {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	all, err := b.Counters(ctx, hosts)
	if err != nil || len(all) != len(hosts) {
		t.Fatalf("%v: %v", all, err)
	}
	return all
}

// ask sends n requests on one connection.
func ask(t *testing.T, addr string, n int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for range n {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
