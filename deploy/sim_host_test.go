package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A simMachine is a host as it is, whoever asks.
type simMachine struct {
	s                *sim
	name             string
	current, runs    string
	healthy          map[string]bool // by release; absent means healthy
	ignores, dies    map[string]bool // a reload to this release is ignored; kills the app
	hangs            map[string]bool // one to this leaves a process that may take over later
	upstart          string          // the release of that process
	life             int             // grows with every change of what runs
	hand             bool            // a person took it out before
	restores, cycles int
	slowReady        time.Duration
	personOn         string // the balancer on which a person puts it back during a reload
	gone             bool   // unreachable
	busy             bool   // a session of it never ends
	touched          bool   // flipped or reloaded since it was in rotation last
	diedAt           time.Time
	died             int // when it died by itself, by the fleet's count of acts
	fence, raised    int64
}

// A simHost is a host in one deployer's hands.
type simHost struct {
	*simMachine
	by               *deployer
	verified, proved int // the life that answered the health check, and that was proven, plus one
}

func (h *simMachine) well() bool {
	if h.runs == "" || h.gone {
		return false
	}
	ok, set := h.healthy[h.runs]
	return ok || !set
}

// ends is an app that dies by itself.
func (h *simMachine) ends() {
	h.becomes("")
	h.died, h.diedAt = h.s.acts, time.Now()
	for _, d := range h.s.all { // an undo under way has to start it once more
		delete(d.acts, "undo "+h.name)
	}
}

func (h *simMachine) becomes(release string) {
	h.runs = release
	h.life++
	h.weighed()
}

// weighed keeps the count of a large fleet.
func (h *simMachine) weighed() {
	if h.well() {
		delete(h.s.unwell, h.name)
	} else {
		h.s.unwell[h.name] = true
	}
}

func (h *simHost) do(ctx context.Context, op, arg string, d time.Duration, effect func() error) error {
	return (&call{by: h.by, op: op, host: h.name, arg: arg, takes: d, effect: effect}).do(ctx)
}

// ask has something read, which is part of what the engine knows from then on.
func (h *simHost) ask(ctx context.Context, op string, read func() string) error {
	c := &call{by: h.by, op: op, host: h.name}
	c.effect = func() error { c.saw = read(); return nil }
	return c.do(ctx)
}

// fenced has an effect behind the host's fence.
func (h *simHost) fenced(effect func() error) func() error {
	return func() error {
		if h.fence > h.by.epoch && !h.s.rules.noFence {
			return &simRefusal{RefusedFenced}
		}
		if h.raised > h.by.epoch {
			h.s.violated("I6: a call of epoch %d took effect on %s behind the fence of epoch %d", h.by.epoch, h.name, h.raised)
		}
		return effect()
	}
}

func (h *simHost) Name() string { return h.name }

func (h *simHost) Stage(ctx context.Context, _ Release, _ func(n, of int64)) (Sent, error) {
	return Sent{}, h.do(ctx, "stage", "", time.Second, func() error { return nil })
}
func (h *simHost) Prune(context.Context, []string) error { return nil }
func (h *simHost) Log(context.Context) []string          { return []string{"log of " + h.name} }

func (h *simHost) Current(ctx context.Context) (id string, err error) {
	return id, h.ask(ctx, "current", func() string { id = h.current; return id })
}

func (h *simHost) Running(ctx context.Context) (r Running, err error) {
	return r, h.ask(ctx, "running", func() string { r = Running{Release: h.runs}; return h.runs })
}

func (h *simHost) Flip(ctx context.Context, id string) error {
	return h.do(ctx, "flip", id, 10*time.Millisecond, h.fenced(func() error {
		h.guarded("flip", Flipping)
		h.current, h.touched = id, true
		return nil
	}))
}

func (h *simHost) Reload(ctx context.Context, id string) error {
	return h.do(ctx, "reload", id, 100*time.Millisecond, h.fenced(func() error {
		h.guarded("reload", Reloading)
		h.once("forward", "reloaded")
		h.cycles++
		for _, lb := range h.s.lbs {
			if lb.name == h.personOn {
				lb.gives(h.name)
				lb.person = h.name
			}
		}
		h.touched = true
		switch {
		case h.ignores[id]:
			return errors.New("the old process still serves")
		case h.hangs[id]:
			h.upstart = id
			return errors.New("the new process does not get ready")
		case h.dies[id]:
			h.becomes("")
			return errors.New("the app is dead")
		}
		h.becomes(h.current)
		return nil
	}))
}

func (h *simHost) Settled(ctx context.Context, id string) error {
	return h.do(ctx, "settled", id, time.Second, func() error { return h.is(id) })
}

func (h *simHost) Alive(ctx context.Context, id string) error {
	return h.do(ctx, "alive", id, time.Millisecond, func() error { return h.is(id) })
}

func (h *simHost) is(id string) error {
	if h.runs != id {
		return fmt.Errorf("%s runs %q, not %q", h.name, h.runs, id)
	}
	h.proved = h.life + 1
	return nil
}

func (h *simHost) Restore(ctx context.Context, id string) error {
	return h.do(ctx, "restore", id, 100*time.Millisecond, h.fenced(func() error {
		if h.runs != id || h.upstart != "" {
			h.guarded("restore", Reloading)
		}
		h.restores++
		if !h.s.rules.keepsUpstarts {
			h.upstart = ""
		}
		h.touched = true
		if h.runs != id { // else it is so already
			h.once("undo", "undone")
			h.becomes(id)
		}
		return nil
	}))
}

// --- checker

func (d *deployer) Healthy(ctx context.Context, host, _ string) error {
	h := d.hosts[host]
	return h.do(ctx, "healthy", "", 600*time.Millisecond, func() error {
		err := h.probe()
		if err == nil {
			h.verified = h.life + 1
		}
		return err
	})
}

func (d *deployer) Probe(ctx context.Context, host string) error {
	h := d.hosts[host]
	return h.do(ctx, "probe", "", time.Millisecond, h.probe)
}

func (h *simMachine) probe() error {
	if !h.well() {
		return fmt.Errorf("/health answered 500")
	}
	return nil
}
