package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	ucli "github.com/urfave/cli/v2"
)

// An asking is a command at work that rolls nothing out: it asks a fleet, or tells
// it something small.
type asking struct {
	*session
	x       *program
	json    bool
	verbose bool
	out     bytes.Buffer // for stdout, once the story is told
	bare    bool         // with JSON, what is in out is the whole answer

	there []*state.Store // of balancers that were reached
}

// A work is what such a command does. Its error says that nothing was changed.
type work func(ctx context.Context, a *asking) (deploy.Outcome, error)

// asks is the action of a command that does work on the fleet of the inventory.
func (x *program) asks(do work) ucli.ActionFunc {
	return func(c *ucli.Context) error { return x.ask(c, nil, do) }
}

// ask does the work and tells how it ended, in every case.
func (x *program) ask(c *ucli.Context, change func(*inventory.Inventory) error, do work) error {
	return x.answer(c, func(a *asking, screen *ui.UI) (deploy.Outcome, error) { return a.work(c, screen, change, do) })
}

// answer is ask without an inventory.
func (x *program) answer(c *ucli.Context, work func(a *asking, screen *ui.UI) (deploy.Outcome, error)) error {
	a := &asking{x: x, json: c.Bool("json"), verbose: c.Bool("verbose")}
	screen, began := x.screen(c), time.Now()
	outcome, err := work(a, screen)
	screen.Close()
	if err != nil && c.Context.Err() != nil {
		err = deploy.ErrInterrupted // what was asked of machines then is no fault of theirs
	}
	_, wrote := a.out.WriteTo(x.env.Stdout)
	res := deploy.Result{Kind: deploy.KindResult, Time: time.Now(), Outcome: outcome, Exit: outcome.Exit(), Hosts: map[string]deploy.HostResult{}}
	if err != nil {
		res = refused(err)
	}
	res.ElapsedMS = time.Since(began).Milliseconds()
	x.result = &res
	return errors.Join(wrote, a.tell(res, err))
}

func (a *asking) work(c *ucli.Context, screen *ui.UI, change func(*inventory.Inventory) error, do work) (deploy.Outcome, error) {
	inv, err := inventory.Load(or(c.String("inventory"), "inventory.toml"))
	if err == nil && change != nil {
		err = change(inv)
	}
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	screen.Fleet(inv.App.Name, hostNames(inv)...)
	if a.session, err = open(inv, screen, a.x.env); err != nil {
		return deploy.OutcomeRefused, err
	}
	defer a.close()
	return do(c.Context, a)
}

// tell shows what went wrong, and for a program how the command ended.
func (a *asking) tell(res deploy.Result, err error) error {
	if err != nil {
		a.x.complain(err)
	}
	if !a.json || a.bare && err == nil {
		return nil
	}
	if err := a.tellFaults(err); err != nil {
		return err
	}
	res.Seq = a.next()
	return ui.WriteJSON(a.x.env.Stdout, res)
}

// tellFaults are the events that carry what a result has no room for: each fault
// with its own code and hint, and what was seen.
func (a *asking) tellFaults(err error) error {
	if err == nil {
		return nil
	}
	all := parts(flat(err))
	for _, fault := range all {
		e := errorEvent(fault)
		if len(all) == 1 && len(e.Evidence) == 0 {
			continue
		}
		e.Seq = a.next()
		if err := ui.WriteJSON(a.x.env.Stdout, e); err != nil {
			return err
		}
	}
	return nil
}

// next is the number of the next event.
func (a *asking) next() int64 {
	if a.session == nil {
		return 1
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seq++
	return a.seq
}

// A head is what all lines of JSON begin with.
type head struct {
	Seq  int64       `json:"seq"`
	Time time.Time   `json:"time"`
	Kind deploy.Kind `json:"kind"`
}

func (a *asking) head(kind deploy.Kind) head { return head{a.next(), time.Now(), kind} }

// object puts a line of JSON on stdout.
func (a *asking) object(v any) error { return ui.WriteJSON(&a.out, v) }

// say puts lines for a person on stdout; a program gets objects instead.
func (a *asking) say(lines ...string) {
	if a.json {
		return
	}
	for _, l := range lines {
		fmt.Fprintln(&a.out, l)
	}
}

func (a *asking) sayf(format string, args ...any) { a.say(ui.Line(format, args...)) }

// done tells what was done: a person on stdout, a program as an event.
func (a *asking) done(text string) {
	a.sayf("%s", text)
	if a.json {
		a.emit(deploy.Event{Kind: deploy.KindLock, Detail: text})
	}
}

// warn tells what a person should know.
func (a *asking) warn(machine, code, text string) {
	a.emit(deploy.Event{Kind: deploy.KindWarning, Host: machine, Code: code, Detail: text})
}
