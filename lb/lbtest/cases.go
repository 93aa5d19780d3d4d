package lbtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
)

// Cases are all that a driver must pass.
var Cases = []Case{
	{"preflight finds nothing wrong", 2, checkPasses},
	{"seats tell who serves", 3, seats},
	{"claim is refused at the floor and changes nothing", 2, claimAtFloor},
	{"claim is refused when another host dies between look and act", 2, claimAfterDeath},
	{"a host that does not serve may be claimed at the floor", 2, claimOfDead},
	{"claim is refused for a host that is out", 2, claimOfOut},
	{"drain is refused at the floor where it acts", 2, drainAtFloor},
	{"a floor of some hosts only is kept, too", 3, floorAmong},
	{"drain is safe to repeat", 2, drainTwice},
	{"a host goes out and comes back with no request failed", 3, roundTrip},
	{"empty waits for requests in flight", 2, emptyWaits},
	{"empty ends at its deadline and leaves the host drained", 2, emptyDeadline},
	{"a drained host is given back at once", 2, giveBack},
	{"give back leaves a host alone that a person took out", 2, giveBackForeign},
	{"hold finds nothing to do", 2, holdStill},
	{"hold sets again what a reload forgot", 2, holdReload},
	{"hold refuses after a person's change", 2, holdPerson},
	{"ready refuses after a person's change", 2, readyPerson},
	{"ready waits for the balancer's own checks", 2, readyWaits},
	{"a host out before stays out", 3, outBefore},
	{"an act whose answer is lost is ours", 2, lostAnswers},
	{"counters grow with errors", 2, counters},
}

func checkPasses(t *testing.T, r *Rig) { must(t, r.Driver.Check(Within(t, 5*time.Second))) }

func seats(t *testing.T, r *Rig) {
	wantSeat(t, r, "web1", lb.StateReady, true)
	r.Backends["web2"].Kill()
	Eventually(t, "the dead host is seen", func() bool { return !seat(t, r, "web2").Serving })
	wantSeat(t, r, "web2", lb.StateDown, false)
	r.TakeOut("web3")
	out(t, r, "web3")
	wantSeat(t, r, "web1", lb.StateReady, true)
}

func claimAtFloor(t *testing.T, r *Rig) {
	ctx := Within(t, 5*time.Second)
	refused(t, r.Driver.Claim(ctx, r.Act, "web1", 2), lb.ReasonFloor)
	wantSeat(t, r, "web1", lb.StateReady, true)
	must(t, r.Driver.Claim(ctx, r.Act, "web1", 1))
	wantSeat(t, r, "web1", lb.StateReady, true)
}

func floorAmong(t *testing.T, r *Rig) {
	ctx := Within(t, 10*time.Second)
	of := func(min int, hosts ...string) lb.Floor { return lb.Floor{Min: min, Hosts: hosts} }
	refused(t, r.Driver.Claim(ctx, r.Act, "web1", 1, of(1, "web1")), lb.ReasonFloor)
	refused(t, r.Driver.Claim(ctx, r.Act, "web1", 1, of(0, "web1"), of(2, "web1", "web3")), lb.ReasonFloor)
	refused(t, r.Driver.Claim(ctx, r.Act, "web1", 3, of(1, "web1", "web2")), lb.ReasonFloor)
	must(t, r.Driver.Claim(ctx, r.Act, "web1", 1, of(1, "web1", "web2")))
	refused(t, r.Driver.Drain(ctx, r.Act, "web1", 1, of(1, "web1")), lb.ReasonFloor)
	must(t, r.Driver.Drain(ctx, r.Act, "web1", 1, of(1, "web1", "web2")))
	out(t, r, "web1")
	refused(t, r.Driver.Drain(ctx, r.Act, "web2", 1, of(1, "web1", "web2")), lb.ReasonFloor)
	must(t, r.Driver.Claim(ctx, r.Act, "web3", 1, of(1, "web1", "web2")))
}

func claimAfterDeath(t *testing.T, r *Rig) {
	wantSeat(t, r, "web2", lb.StateReady, true)
	die := Before{Then: r.Act, Do: func() {
		r.Backends["web2"].Kill()
		Eventually(t, "the dead host is seen", func() bool { return !seat(t, r, "web2").Serving })
	}}
	refused(t, r.Driver.Claim(Within(t, 10*time.Second), die, "web1", 1), lb.ReasonFloor)
}

func claimOfDead(t *testing.T, r *Rig) {
	r.Backends["web1"].Kill()
	Eventually(t, "the dead host is seen", func() bool { return !seat(t, r, "web1").Serving })
	ctx := Within(t, 10*time.Second)
	must(t, r.Driver.Claim(ctx, r.Act, "web1", 1))
	refused(t, r.Driver.Claim(ctx, r.Act, "web2", 1), lb.ReasonFloor)
}

func claimOfOut(t *testing.T, r *Rig) {
	r.TakeOut("web1")
	refused(t, r.Driver.Claim(Within(t, 5*time.Second), r.Act, "web1", 0), lb.ReasonOut)
	out(t, r, "web1")
}

func drainAtFloor(t *testing.T, r *Rig) {
	ctx := Within(t, 10*time.Second)
	must(t, r.Driver.Claim(ctx, r.Act, "web1", 1))
	must(t, r.Driver.Claim(ctx, r.Act, "web2", 1))
	must(t, r.Driver.Drain(ctx, r.Act, "web1", 1))
	refused(t, r.Driver.Drain(ctx, r.Act, "web2", 1), lb.ReasonFloor)
	out(t, r, "web1")
	wantSeat(t, r, "web2", lb.StateReady, true)
}

func drainTwice(t *testing.T, r *Rig) {
	ctx := Within(t, 10*time.Second)
	must(t, r.Driver.Drain(ctx, r.Act, "web1", 1))
	must(t, r.Driver.Drain(ctx, r.Act, "web1", 1))
	must(t, r.Driver.Empty(ctx, r.Act, "web1", quiet))
	must(t, r.Driver.Claim(ctx, r.Act, "web1", 1))
	must(t, r.Driver.Drain(ctx, r.Act, "web1", 1))
	must(t, r.Driver.Empty(ctx, r.Act, "web1", quiet))
	out(t, r, "web1")
	must(t, r.Driver.Ready(ctx, r.Act, "web1", quiet))
	wantSeat(t, r, "web1", lb.StateReady, true)
}

func roundTrip(t *testing.T, r *Rig) {
	load := StartLoad(t, r.Addr, "")
	load.Reopen(r.Reopen)
	Eventually(t, "web1 gets traffic", func() bool { return load.By("web1") > 20 })
	Eventually(t, "web1 works on a slow request", func() bool { return r.Backends["web1"].InFlight.Load() > 0 })
	away(t, r, "web1")
	b := r.Backends["web1"]
	if n := b.InFlight.Load(); n != 0 {
		t.Errorf("%d requests in flight on an empty host", n)
	}
	before := b.Served.Load()
	time.Sleep(300 * time.Millisecond)
	if n := b.Served.Load() - before; n != 0 {
		t.Errorf("%d requests came to an empty host", n)
	}
	b.Kill()
	time.Sleep(50 * time.Millisecond)
	b.Revive()
	must(t, r.Driver.Ready(Within(t, 10*time.Second), r.Act, "web1", quiet))
	wantSeat(t, r, "web1", lb.StateReady, true)
	Eventually(t, "web1 gets traffic again", func() bool { return b.Served.Load() > before+20 })
	load.Stop(t)
}

// slow keeps requests in flight to every host for d.
func slow(t testing.TB, r *Rig, d time.Duration) (wait func() error) {
	done := make(chan error, 2*len(r.Backends))
	for range cap(done) {
		go func() {
			_, err := Get(r.Addr, "/slow?for="+d.String(), "")
			done <- err
		}()
	}
	for name, b := range r.Backends {
		Eventually(t, name+" works", func() bool { return b.InFlight.Load() > 0 })
	}
	return func() (err error) {
		for range cap(done) {
			err = errors.Join(err, <-done)
		}
		return err
	}
}

func emptyWaits(t *testing.T, r *Rig) {
	wait := slow(t, r, 900*time.Millisecond)
	if n := seat(t, r, "web1").Sessions; n == 0 {
		t.Error("no session in the seat of a host that works")
	}
	away(t, r, "web1")
	if n := r.Backends["web1"].InFlight.Load(); n != 0 {
		t.Errorf("%d requests in flight on an empty host", n)
	}
	must(t, wait())
}

func emptyDeadline(t *testing.T, r *Rig) {
	wait := slow(t, r, 3*time.Second)
	must(t, r.Driver.Drain(Within(t, 5*time.Second), r.Act, "web1", 1))
	err := r.Driver.Empty(Within(t, 500*time.Millisecond), r.Act, "web1", quiet)
	var busy *lb.BusyError
	if !errors.As(err, &busy) || busy.Sessions == 0 || busy.Code() != "FD-DRAIN-TIMEOUT" {
		t.Fatalf("got %v, want a BusyError with sessions", err)
	}
	out(t, r, "web1")
	must(t, r.Driver.GiveBack(Within(t, 5*time.Second), r.Act, "web1"))
	wantSeat(t, r, "web1", lb.StateReady, true)
	must(t, wait())
}

func giveBack(t *testing.T, r *Rig) {
	ctx := Within(t, 10*time.Second)
	must(t, r.Driver.GiveBack(ctx, r.Act, "web1"))
	must(t, r.Driver.Drain(ctx, r.Act, "web1", 1))
	must(t, r.Driver.GiveBack(ctx, r.Act, "web1"))
	wantSeat(t, r, "web1", lb.StateReady, true)
	away(t, r, "web1")
	must(t, r.Driver.GiveBack(ctx, r.Act, "web1"))
	wantSeat(t, r, "web1", lb.StateReady, true)
}

func giveBackForeign(t *testing.T, r *Rig) {
	ctx := Within(t, 10*time.Second)
	r.TakeOut("web1")
	if err := r.Driver.Drain(ctx, r.Act, "web1", 0); err != nil {
		refused(t, err, lb.ReasonOut)
	}
	must(t, r.Driver.GiveBack(ctx, r.Act, "web1"))
	out(t, r, "web1")
}

func holdStill(t *testing.T, r *Rig) {
	away(t, r, "web1")
	if again, err := r.Driver.Hold(Within(t, 5*time.Second), r.Act, "web1"); again || err != nil {
		t.Fatalf("got %v, %v, want false, nil", again, err)
	}
	out(t, r, "web1")
}

func holdReload(t *testing.T, r *Rig) {
	away(t, r, "web1")
	r.Reload()
	again, err := r.Driver.Hold(Within(t, 5*time.Second), r.Act, "web1")
	if err != nil || again != r.Remind {
		t.Fatalf("got %v, %v, want %v, nil", again, err, r.Remind)
	}
	out(t, r, "web1")
	again, err = r.Driver.Hold(Within(t, 5*time.Second), r.Act, "web1")
	if again || err != nil {
		t.Fatalf("got %v, %v, want false, nil", again, err)
	}
	must(t, r.Driver.Ready(Within(t, 10*time.Second), r.Act, "web1", quiet))
	wantSeat(t, r, "web1", lb.StateReady, true)
}

func holdPerson(t *testing.T, r *Rig) {
	away(t, r, "web1")
	r.PutBack("web1")
	again, err := r.Driver.Hold(Within(t, 5*time.Second), r.Act, "web1")
	refused(t, err, lb.ReasonChanged)
	if again {
		t.Error("a person's change was undone")
	}
	wantSeat(t, r, "web1", lb.StateReady, true)
}

func readyPerson(t *testing.T, r *Rig) {
	must(t, r.Driver.Drain(Within(t, 5*time.Second), r.Act, "web1", 1))
	r.TakeOut("web1")
	refused(t, r.Driver.Ready(Within(t, 5*time.Second), r.Act, "web1", quiet), lb.ReasonChanged)
	out(t, r, "web1")
}

func readyWaits(t *testing.T, r *Rig) {
	away(t, r, "web1")
	b := r.Backends["web1"]
	b.Sick.Store(true)
	before, seen := b.Served.Load(), b.Checks.Load()
	// A driver may leave the checks running and be content with the last one; it then
	// has to have been.
	time.Sleep(300 * time.Millisecond)
	t.Logf("%d checks saw it sick", b.Checks.Load()-seen)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := r.Driver.Ready(ctx, r.Act, "web1", quiet)
	var c interface {
		Code() string
		Evidence() []string
	}
	if !errors.As(err, &c) || c.Code() != "FD-LB-READY-TIMEOUT" || len(c.Evidence()) == 0 {
		t.Fatalf("got %v, want FD-LB-READY-TIMEOUT with evidence", err)
	}
	out(t, r, "web1")
	if n := b.Served.Load() - before; n != 0 {
		t.Errorf("%d requests came to a sick host", n)
	}
	b.Sick.Store(false)
	checks := b.Checks.Load()
	must(t, r.Driver.Ready(Within(t, 10*time.Second), r.Act, "web1", quiet))
	if b.Checks.Load() == checks {
		t.Error("no new check before it was put back")
	}
	wantSeat(t, r, "web1", lb.StateReady, true)
}

func outBefore(t *testing.T, r *Rig) {
	r.TakeOut("web1")
	refused(t, r.Driver.Claim(Within(t, 5*time.Second), r.Act, "web1", 1), lb.ReasonOut)
	away(t, r, "web2")
	refused(t, r.Driver.Claim(Within(t, 5*time.Second), r.Act, "web3", 1), lb.ReasonFloor)
	must(t, r.Driver.Ready(Within(t, 10*time.Second), r.Act, "web2", quiet))
	out(t, r, "web1")
}

func counters(t *testing.T, r *Rig) {
	ctx := Within(t, 10*time.Second)
	both := []string{"web1", "web2", "nobody"}
	ask := func() lb.Counters {
		all, err := r.Driver.Counters(ctx, both)
		must(t, err)
		if len(all) != 2 {
			t.Errorf("%v are counted", all)
		}
		return all["web1"]
	}
	before := ask()
	for range 4 {
		_, _ = Get(r.Addr, "/broken", "")
	}
	after := ask()
	if r.Counts && (after.Errors5xx <= before.Errors5xx || after.Requests-before.Requests != after.Errors5xx-before.Errors5xx) || after.Generation != before.Generation || after.Generation == "" {
		t.Errorf("before %+v, after %+v", before, after)
	}
	r.Reload()
	again := ask()
	if changed := again.Generation != after.Generation; changed != r.Counts {
		t.Errorf("after a reload another generation: %v, want %v", changed, r.Counts)
	}
}
