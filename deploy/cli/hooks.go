package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
)

// hooks are the commands of this machine that a run calls while it holds the lock. On
// the way back one that fails is only told: nothing keeps a fleet from going back.
type hooks struct {
	inventory.Hooks
	dir   string
	about happening // what all of them are told
	back  bool
	emit  func(deploy.Event)

	open  map[string]bool   // hosts that were touched, and whose after_host is still to come
	ended chan deploy.Event // hosts that came to an end
}

// A happening is what a hook reads: one line of JSON.
type happening struct {
	Kind     deploy.Kind    `json:"kind"`
	Hook     string         `json:"hook"`
	Time     time.Time      `json:"time"`
	App      string         `json:"app"`
	Rollout  string         `json:"rollout"`
	Mode     deploy.Mode    `json:"mode"`
	Revision string         `json:"revision"`
	Previous string         `json:"previous"`
	Hosts    []string       `json:"hosts,omitempty"`  // of before: those that are to change
	Host     string         `json:"host,omitempty"`   // of before_host and after_host
	Phase    deploy.Phase   `json:"phase,omitempty"`  // of after_host: where the host ended
	Result   *deploy.Result `json:"result,omitempty"` // of after
}

// afterSignal is how long hooks may still run once the run was told to end.
const afterSignal = time.Second

// hooked is run with what the inventory wants called around it. Where before fails
// nothing is run; what comes after changes nothing of how the run ended. On return no
// hook runs any more.
func (s *session) hooked(ctx, held context.Context, r *deploy.Rollout, back bool, run func() (deploy.Result, error)) (deploy.Result, error) {
	h := s.newHooks(r.Plan, back)
	if err := h.before(ctx, h.Before, happening{Hook: "before", Hosts: changing(r.Plan)}); err != nil {
		return deploy.Result{}, err
	}
	work, cancel := context.WithCancel(held)
	defer cancel()
	r.Before = func(ctx context.Context, host string) error {
		return h.before(ctx, h.BeforeHost, happening{Hook: "before_host", Host: host})
	}
	var all sync.WaitGroup
	all.Go(func() { h.followHosts(work) })
	s.follow(h.saw)
	res, err := run()
	s.follow(nil)
	defer context.AfterFunc(ctx, func() { wait(work, afterSignal); cancel() })()
	h.close(res)
	all.Wait()
	if err != nil {
		res := refused(err)
		h.after(work, h.After, happening{Hook: "after", Result: &res})
		return deploy.Result{}, err
	}
	h.after(work, h.After, happening{Hook: "after", Result: &res})
	return res, nil
}

func (s *session) newHooks(p deploy.Plan, back bool) *hooks {
	return &hooks{Hooks: s.inv.Hooks, dir: s.inv.Dir, back: back, emit: s.emit,
		about: happening{Kind: deploy.KindHook, App: p.App, Rollout: p.Rollout, Mode: p.Mode, Revision: p.Revision, Previous: p.Previous},
		open:  map[string]bool{}, ended: make(chan deploy.Event, 4*len(p.Hosts)+1)}
}

func changing(p deploy.Plan) (names []string) {
	for _, h := range p.Hosts {
		if h.Changes() {
			names = append(names, h.Name)
		}
	}
	return names
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// before returns once the hook has ended well, or its failure was told on the way back.
func (h *hooks) before(ctx context.Context, argv []string, what happening) error {
	err := h.call(ctx, argv, what)
	if err == nil || !h.back {
		return err
	}
	h.tell(what, err)
	return nil
}

// after returns once the hook has ended; that it failed is told.
func (h *hooks) after(ctx context.Context, argv []string, what happening) {
	if err := h.call(ctx, argv, what); err != nil {
		h.tell(what, err)
	}
}

func (h *hooks) tell(what happening, err error) {
	e := errorEvent(err)
	e.Kind, e.Host = deploy.KindWarning, what.Host
	h.emit(e)
}

// saw is told of every event of the run, one at a time.
func (h *hooks) saw(e deploy.Event) {
	switch {
	case e.Kind != deploy.KindHost:
	case e.Phase == deploy.Draining || e.Phase == deploy.Flipping:
		h.open[e.Host] = true
	case (e.Phase == deploy.Done || e.Phase == deploy.RolledBack) && h.open[e.Host]:
		delete(h.open, e.Host)
		h.ended <- e
	}
}

// close adds the hosts that were touched and ended otherwise, and ends followHosts.
func (h *hooks) close(res deploy.Result) {
	for _, host := range sortedKeys(h.open) {
		h.ended <- deploy.Event{Host: host, Phase: res.Hosts[host].Phase}
	}
	close(h.ended)
}

// followHosts calls after_host for hosts as they end, beside the run, which goes on.
func (h *hooks) followHosts(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for e := range h.ended {
		all.Go(func() {
			h.after(ctx, h.AfterHost, happening{Hook: "after_host", Host: e.Host, Phase: e.Phase})
		})
	}
}

// there tells which programs of hooks are missing, before anything else is done.
func (s *session) hooksThere() error {
	var faults []error
	c := s.inv.Hooks
	for _, hook := range []struct {
		name string
		argv []string
	}{{"before", c.Before}, {"after", c.After}, {"before_host", c.BeforeHost}, {"after_host", c.AfterHost}} {
		if hook.argv == nil {
			continue
		}
		program := hook.argv[0]
		if strings.Contains(program, "/") && !filepath.IsAbs(program) {
			program = filepath.Join(s.inv.Dir, program)
		}
		if _, err := exec.LookPath(program); err != nil {
			faults = append(faults, hookFault(hook.name, hook.argv[0], errors.New("there is no such program on this machine"), nil))
		}
	}
	return errors.Join(faults...)
}

func hookFault(name, program string, err error, said []string) error {
	return &deploy.Fault{Code_: "FD-HOOK", Err: fmt.Errorf("hook %s: %s: %w", name, program, err), Evidence_: said,
		Hint_: "run it by hand in the inventory's directory, or take hooks." + name + " out"}
}
