package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	"github.com/flipdeploy/flipdeploy/lb"
)

func TestWhoseHandAMarkedHostIsOutBy(t *testing.T) {
	for _, c := range []struct {
		seat    lb.Seat
		claimed bool
		want    bool
	}{
		{lb.Seat{State: lb.StateReady}, true, false},
		{lb.Seat{State: lb.StateDown}, true, false},
		{lb.Seat{State: lb.StateMaint}, true, true}, // HAProxy does not say; we had only claimed it
		{lb.Seat{State: lb.StateDrain}, true, true},
		{lb.Seat{State: lb.StateMaint}, false, false},
		{lb.Seat{State: lb.StateMaint, By: lb.ByUs}, true, false}, // nginx's file says
		{lb.Seat{State: lb.StateMaint, By: lb.ByOther}, false, true},
	} {
		if got := taken(c.seat, c.claimed); got != c.want {
			t.Errorf("%+v, claimed %v: taken by another %v", c.seat, c.claimed, got)
		}
	}
}

// here runs scripts on this machine.
type here struct{}

func (here) Run(ctx context.Context, script string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-s")
	cmd.Stdin = strings.NewReader(script)
	return cmd.Output()
}

// edge is a balancer whose machine is this one, with a mark of a rollout on web1, and one
// on web9, which is not in the inventory.
func edge(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{name: "edge1", rollout: "r1", who: "ana@ci", store: state.New("edge1", t.TempDir(), "shop", here{}, nil, false),
		keys: map[string][]state.Key{"web1": {{Upstream: "shop", Address: "10.0.0.1:80"}}}}
	if err := b.store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	epoch, err := state.Raise(t.Context(), []*state.Store{b.store})
	if err != nil {
		t.Fatal(err)
	}
	b.epoch = epoch
	for host, addr := range map[string]string{"web1": "10.0.0.1:80", "web9": "10.0.0.9:80"} {
		claim := state.Claim{Rollout: "r1", Host: host, Keys: []state.Key{{Upstream: "shop", Address: addr}}, Parallel: 9, Before: "ready", Who: "ana@ci"}
		if _, err := b.store.Act(b.epoch, claim).Run(t.Context(), ":"); err != nil {
			t.Fatal(err)
		}
	}
	b.look(t)
	return b
}

// look has the balancer see its marks, as Seats does.
func (b *balancer) look(t *testing.T) (all []string) {
	t.Helper()
	marks, err := b.store.Marks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	left := b.stray(marks)
	b.seen.Store(&left)
	for _, m := range marks {
		all = append(all, m.Host+" "+m.Rollout)
	}
	return all
}

func TestAMarkOfAHostThatLeftTheInventoryIsToldAndRemoved(t *testing.T) {
	b := edge(t)
	var out bytes.Buffer
	screen := ui.New(ui.Options{Out: &out, Err: io.Discard, JSON: true})
	s := &session{inv: &inventory.Inventory{}, screen: screen, lbs: []*balancer{b}, hosts: map[string]*host{"web1": {}}}
	err := s.roomFor(deploy.Plan{Parallel: 1}, deploy.Survey{})
	if deploy.CodeOf(err) != "FD-BUDGET" || err.Error() != "edge1: earlier rollouts left web9 out and marked, and parallel is 1: no host can be taken out" ||
		deploy.HintOf(err) != `once they are well, put them back with "flipdeploy ready --force web9", then repeat` {
		t.Errorf("%v; %s", err, deploy.HintOf(err))
	}
	when := b.strays()[0].When
	b.rollout = state.Hand
	if lifted, err := s.liftMarks(t.Context(), "web9"); !lifted || err != nil {
		t.Errorf("lifted %v, %v", lifted, err)
	}
	if all := strings.Join(b.look(t), ", "); all != "web1 r1" {
		t.Errorf("left: %s", all)
	}
	if err := s.roomFor(deploy.Plan{Parallel: 1}, deploy.Survey{}); err != nil {
		t.Error(err)
	}
	if _, err := s.liftMarks(t.Context(), "web8"); err == nil || err.Error() != `no host "web8" in the inventory, and no owner mark of it; there are ` {
		t.Errorf("web8: %v", err)
	}
	if lifted, err := s.liftMarks(t.Context(), "web1"); lifted || err != nil { // it is in the inventory
		t.Errorf("web1: lifted %v, %v", lifted, err)
	}
	screen.Close()
	var said []string
	for line := range strings.Lines(out.String()) {
		var e deploy.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		said = append(said, string(e.Kind)+" "+e.Host+" "+e.LB+" "+e.Code+" "+e.Detail+"; "+e.Hint)
	}
	want := "warning web9 edge1 FD-MARK-LEFT owner mark of r1 on shop 10.0.0.9:80, since " + when + `, of no backend in the inventory; ` +
		`see that edge1 sends web9 no requests that it cannot serve, then remove the mark with "flipdeploy ready --force web9"` +
		"\nhost web9 edge1  its owner mark on edge1 is removed; nothing was set there; "
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("said %s\nwant %s", got, want)
	}
}

func TestOnlyReadyByForceTakesAHostThatIsNotInTheInventory(t *testing.T) {
	inv := &inventory.Inventory{Hosts: []inventory.Host{{Machine: inventory.Machine{Name: "web1"}}}}
	for _, c := range []struct {
		o    handOptions
		want string
	}{
		{handOptions{hosts: []string{"web9"}}, `no host "web9" in the inventory; there are web1`},
		{handOptions{hosts: []string{"web9"}, ready: true}, `no host "web9" in the inventory; there are web1`},
		{handOptions{hosts: []string{"web9"}, ready: true, force: true}, ""},
		{handOptions{hosts: []string{"web1"}}, ""},
	} {
		said := ""
		if err := c.o.unlisted(inv); err != nil {
			said = err.Error()
		}
		if said != c.want {
			t.Errorf("%+v: %q, want %q", c.o, said, c.want)
		}
	}
}
