package lb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// claimed is an act under a mark that says that the host was not taken out yet.
type claimed struct{ lb.Runner }

func (c claimed) Run(ctx context.Context, script string) ([]byte, error) {
	return c.Runner.Run(ctx, "fd_claimed=shop@web1\n"+script)
}

// HAProxy does not say by whose hand a server is in drain: the mark does.
func TestADrainBeforeOursIsAPersons(t *testing.T) {
	var h *lbtest.HAProxy
	r := lbtest.HAProxyRig("check", func(at *lbtest.HAProxy, _ *lb.HAProxyConfig) { h = at })(t, 2)
	ctx := lbtest.Within(t, 10*time.Second)
	h.Ctl("set server shop/web1 state drain")
	err := r.Driver.Drain(ctx, claimed{r.Act}, "web1", 1)
	var refused *lb.RefusedError
	if !errors.As(err, &refused) || refused.Reason != lb.ReasonOut {
		t.Errorf("drained by a person: got %v", err)
	}
	if err := r.Driver.Drain(ctx, r.Act, "web1", 1); err != nil {
		t.Errorf("drained by us, and the answer lost: %v", err)
	}
	if err := r.Driver.Drain(ctx, claimed{r.Act}, "web2", 0); err != nil {
		t.Errorf("in rotation: %v", err)
	}
}
