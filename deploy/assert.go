package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// assertFleet looks at the whole fleet once more before a run is called done:
// every host that is done still runs its release and serves on every balancer. One
// that died since its turn is a failure; nothing is done to it.
func (x *run) assertFleet() {
	if x.ctx.Err() != nil || x.dir != Forward || (x.stop.Err() != nil || x.pause != nil) && x.wanting() {
		return
	}
	var wg sync.WaitGroup
	for _, v := range append([]HostView(nil), x.hosts...) {
		if v.Phase == Done {
			wg.Go(func() { x.assert(v.Name) })
		}
	}
	wg.Wait()
}

// wanting tells that a run which was told to end has left something: nobody will call
// it done.
func (x *run) wanting() bool {
	return slices.ContainsFunc(x.hosts, HostView.wanting)
}

func (x *run) assert(host string) {
	err := x.stands(host)
	if err == nil || x.ctx.Err() != nil { // cut off: that says nothing of the host
		return
	}
	x.fail(host, err)
	x.with(host, func(v *HostView) {
		v.Phase, v.Failed, v.Changed = Failed, true, true
		x.errs[host] = err
	})
}

// stands tells whether a host is well; what a moment may mend is asked three times.
func (x *run) stands(host string) (err error) {
	for range 3 {
		if err = x.serves(host); err == nil {
			return nil
		}
		if !tick(x.ctx, time.Second) {
			break
		}
	}
	return &Fault{Host: host, Code_: "FD-FLEET-CHECK", Err: fmt.Errorf("done before, and not well now: %w", err),
		Evidence_: x.Hosts[host].Log(x.ctx),
		Hint_:     "look at the app's log on the host"}
}

func (x *run) serves(host string) error {
	ctx, cancel := context.WithTimeout(x.ctx, 20*time.Second)
	defer cancel()
	err := everywhere(x.Carries[host], func(b Balancer) error {
		seats, err := x.looks[b.Name()].Get(ctx, b.Seats)
		if err != nil {
			return err
		}
		if s := seats[host]; !s.Serving {
			return fmt.Errorf("%s, not serving", s.State)
		}
		return nil
	})
	return errors.Join(err, x.Hosts[host].Alive(ctx, x.planned(host).To))
}
