package lb_test

import (
	"context"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// A look at all servers is shared; what old workers hold of one host is asked for that host.
func TestOnlyLooksAtAllServersAreShared(t *testing.T) {
	t.Parallel()
	h, _, b := start(t, 2, "backend shop\n  server web1 @web1\n  server web2 @web2\n", nil, "shop")
	cfg, shared, looks := h.Config(b, "shop"), 0, 0
	cfg.Share = func(ctx context.Context, look func(context.Context) ([]byte, error)) ([]byte, error) {
		shared++
		return look(ctx)
	}
	ctx := lbtest.Within(t, 10*time.Second)
	d := lb.NewHAProxy(cfg, counting{&looks})
	if _, err := d.Seats(ctx); err != nil || shared != 1 || looks != 1 {
		t.Errorf("seats: %v, %d of %d looks shared, want the one", err, shared, looks)
	}
	must(t, d.Claim(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	shared, looks = 0, 0
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	if shared != 0 || looks < 2 {
		t.Errorf("while it empties %d of %d looks were shared, want none", shared, looks)
	}
	shared = 0
	if _, err := d.Hold(ctx, lbtest.Shell{}, "web1"); err != nil || shared != 1 {
		t.Errorf("hold: %v, %d looks shared, want one", err, shared)
	}
}

// counting counts what it runs.
type counting struct{ n *int }

func (c counting) Run(ctx context.Context, script string) ([]byte, error) {
	*c.n++
	return lbtest.Shell{}.Run(ctx, script)
}
