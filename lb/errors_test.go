package lb

import (
	"context"
	"errors"
	"testing"
	"time"
)

// ended is a script that ran and said no.
type ended string

func (e ended) Error() string  { return "exit 41" }
func (e ended) ExitCode() int  { return 41 }
func (e ended) Stdout() []byte { return []byte(e) }

func TestWhatAScriptSaysBecomesItsError(t *testing.T) {
	h := NewHAProxy(HAProxyConfig{Socket: "/run/h.sock", Upstreams: []string{"shop"}}, nil)
	for _, c := range []struct{ said, code, text string }{
		{"fd-lb refused floor 1 2\n", "FD-FLOOR", "without it 1 would serve, fewer than 2"},
		{"fd-lb refused out shop/web1 8\n", "FD-LB-OUT", "it is out of rotation already: shop/web1 is drain"},
		{"fd-lb refused out shop/web1 weight\n", "FD-LB-OUT", "it is out of rotation already: shop/web1 is at weight 0"},
		{"fd-lb refused changed shop/web1 0 8\n", "FD-LB-CHANGED", "somebody changed it on the balancer: shop/web1 is ready, we left it in drain"},
		{"fd-lb refused changed shop/web1 1 drain\n", "FD-LB-CHANGED", "somebody changed it on the balancer: shop/web1 is maint, we left it in drain"},
		{"fd-lb refused agent shop/web1\n", "FD-LB-AGENT", "an agent-check sets its state: shop/web1"},
		{"fd-lb refused absent\n", "FD-LB-BACKEND", "the balancer does not know it"},
		{"fd-lb fail ask 1 2026/11/21 socat[1] E connect(, AF=1 \"/run/h.sock\", 2): Connection refused\n", "FD-LB-SOCKET-STALE", "nobody listens on socket /run/h.sock"},
		{"fd-lb fail ask 1 2026/11/21 socat[1] E: Permission denied\n", "FD-LB-SOCKET-DENIED", "socket /run/h.sock may not be written"},
		{"fd-lb fail ask 1 sudo: a password is required\n", "FD-LB-SOCKET-DENIED", "socket /run/h.sock may not be written"},
		{"fd-lb fail ask 124 \n", "FD-LB-SOCKET", "socket /run/h.sock: no answer within 12s"},
		{"fd-lb fail reply cut shop,web1,0\n", "FD-LB-REPLY", "HAProxy's answer cannot be used: reply cut shop,web1,0"},
		{"fd-lb fail set shop/web1 Permission denied\n", "FD-LB-LEVEL", "the socket has level less than admin, it needs admin"},
	} {
		err := h.explain("draining", ended(c.said))
		var e interface {
			error
			Code() string
			Hint() string
		}
		if !errors.As(err, &e) || e.Code() != c.code || e.Error() != c.text || e.Hint() == "" {
			t.Errorf("%q:\n got %v\nwant %s %s", c.said, err, c.code, c.text)
		}
	}
}

func TestWhatIsNotOursIsPassedOn(t *testing.T) {
	h := NewHAProxy(HAProxyConfig{Socket: "/run/h.sock"}, nil)
	fenced := ended("\nx7 no fenced\n")
	err := h.explain("draining", fenced)
	if !errors.Is(err, fenced) || err.Error() != "draining: exit 41" {
		t.Errorf("got %v", err)
	}
}

func TestABusyHostIsCounted(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	for _, c := range []struct {
		busy BusyError
		text string
	}{
		{BusyError{Sessions: 12}, "still 12 sessions after 30s"},
		{BusyError{Sessions: 1}, "still 1 session after 30s"},
		{BusyError{Arriving: true}, "requests still arrived after 30s"},
		{BusyError{Blind: true}, "old HAProxy workers could not be asked for 30s"},
		{BusyError{}, "idle, but not seen so 3 times in a row within 30s"},
	} {
		e := newBusy(ctx, c.busy.Sessions, time.Now().Add(-30*time.Second))
		e.Arriving, e.Blind = c.busy.Arriving, c.busy.Blind
		if e.Error() != c.text || e.Code() != "FD-DRAIN-TIMEOUT" || !errors.Is(e, context.DeadlineExceeded) {
			t.Errorf("got %s %q, want %q", e.Code(), e, c.text)
		}
	}
}

func TestMaintIsNeededWhereNothingProvesOtherwise(t *testing.T) {
	plain := []*server{{pool: "shop", mode: "http"}}
	pools := []pool{{name: "shop"}}
	for _, c := range []struct {
		name               string
		mine               []*server
		pools              []pool
		tables             string
		arriving, graceful bool
		needed             bool
		why                string
	}{
		{"plain", plain, pools, "", false, true, false, "no cookie, no stick-table, none came in drain"},
		{"abrupt", plain, pools, "", false, false, true, "the app's socket may close while it reloads"},
		{"arriving", plain, pools, "", true, true, true, "requests still came in drain"},
		{"tcp", []*server{{pool: "shop", mode: "tcp"}}, pools, "", false, true, true, `shop has mode "tcp"`},
		{"mode not shown", []*server{{pool: "shop"}}, pools, "", false, true, true, `shop has mode ""`},
		{"cookie", []*server{{pool: "shop", mode: "http", cookie: "a"}}, pools, "", false, true, true, "shop has a cookie"},
		{"pool not shown", plain, nil, "", false, true, true, "shop has a cookie"},
		{"table", plain, pools, sticky("sticky t\n== end\n"), false, true, true, "stick-table t keeps clients with a server"},
		{"tables cut", plain, pools, sticky(""), false, true, true, "stick-tables could not be read"},
		{"no tables", plain, pools, sticky("== end\n"), false, true, false, "no cookie, no stick-table, none came in drain"},
	} {
		needed, why := maintNeeded(c.mine, c.pools, c.tables, c.arriving, c.graceful)
		if needed != c.needed || why != c.why {
			t.Errorf("%s: got %v, %q, want %v, %q", c.name, needed, why, c.needed, c.why)
		}
	}
}
