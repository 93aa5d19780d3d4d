package lb_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// One variable of a program's environment may have 128 KiB, and so many hosts are more,
// once as addresses and once as those that a floor is of.
func TestThousandsOfHostsFitIntoAScript(t *testing.T) {
	var names []string
	start := lbtest.HAProxyRig("check", func(h *lbtest.HAProxy, c *lb.HAProxyConfig) {
		for i := range 8000 {
			name := fmt.Sprintf("shop-host-%05d", i)
			names = append(names, name)
			c.Hosts[name] = []string{fmt.Sprintf("10.%d.%d.%d:8080", i>>16, i>>8&255, i&255)}
		}
	})
	r := start(t, 2)
	ctx := lbtest.Within(t, 20*time.Second)
	floor := lb.Floor{Min: 1, Hosts: append(names, "web1", "web2")}
	if err := r.Driver.Drain(ctx, r.Act, "web1", 1, floor); err != nil {
		t.Fatal(err)
	}
	if err := r.Driver.Drain(ctx, r.Act, "web2", 0, floor); err == nil || err.Error() != "without it 0 would serve, fewer than 1" {
		t.Errorf("the last that serves: %v", err)
	}
	seats, err := r.Driver.Seats(ctx)
	if err != nil || seats["web1"].State != lb.StateDrain || seats["web2"].State != lb.StateReady || seats[names[0]].State != lb.StateAbsent {
		t.Errorf("%v %v %v, %v", seats["web1"], seats["web2"], seats[names[0]], err)
	}
	if err := r.Driver.GiveBack(ctx, r.Act, "web1"); err != nil {
		t.Error(err)
	}
}
