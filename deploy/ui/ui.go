// Package ui turns what the engine tells into lines for a person, NDJSON for a
// program, or a live screen. It knows the work; the work does not know it.
package ui

import (
	"io"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// Options say where output goes and how much of it.
type Options struct {
	Out, Err io.Writer // the result; the story
	JSON     bool      // events and result as NDJSON on Out
	Quiet    bool      // warnings, errors and the result only
	Verbose  int
	Color    bool
	Live     bool       // a bar at the bottom of Err, which is a terminal
	Width    func() int // columns of that terminal
	CI       CI         // that runs us
}

const (
	frameEvery = 100 * time.Millisecond
	lookEvery  = time.Second
)

// A UI shows one run. Its methods never wait for a terminal or a pipe: one that
// stands still (Ctrl-S, a pager) must not hold up a rollout that has hosts out.
type UI struct {
	mu     sync.Mutex
	queue  []any // deploy.Event, deploy.Result, fleet
	closed bool
	wake   chan struct{}
	done   chan struct{}

	flow flow

	// What follows belongs to the goroutine that owns the terminal.
	o      Options
	fleet  fleet
	story  *story
	screen *screen
	bar    bar
	folder folder
	over   bool // the result is out, and nothing comes after it
}

// New returns a UI whose output goes on until Close.
func New(o Options) *UI {
	o.Live = o.Live && !o.JSON && !o.Quiet
	u := &UI{o: o, wake: make(chan struct{}, 1), done: make(chan struct{}),
		story: newStory(o), screen: &screen{w: o.Err}, folder: folder{CI: o.CI}}
	go u.own()
	return u
}

// A fleet is what a result and straight columns need to know beforehand.
type fleet struct {
	app   string
	names []string
}

// Fleet names the app, for the result, and the hosts and balancers, so that the
// columns are straight from the first line on.
func (u *UI) Fleet(app string, names ...string) { u.push(fleet{app, names}) }

// Event shows e, in the order of the calls.
func (u *UI) Event(e deploy.Event) {
	if u.flow.counts(e) {
		u.flow.add(e)
		return
	}
	u.push(e)
}

// Result shows how the run ended; events that come later are not shown.
func (u *UI) Result(r deploy.Result) { u.push(r) }

// Close returns once all is written and the terminal is left clean.
func (u *UI) Close() {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.nudge()
	<-u.done
}

func (u *UI) push(what any) {
	u.mu.Lock()
	if !u.closed {
		u.queue = append(u.queue, what)
	}
	u.mu.Unlock()
	u.nudge()
}

func (u *UI) nudge() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// own is the goroutine that owns the terminal; it ends with Close.
func (u *UI) own() {
	defer close(u.done)
	tick := time.NewTicker(u.every())
	defer tick.Stop()
	for {
		select {
		case <-u.wake:
		case <-tick.C:
			u.look()
		}
		batch, closed := u.take()
		for _, what := range batch {
			u.show(what)
		}
		if closed {
			u.screen.erase()
			return
		}
	}
}

func (u *UI) every() time.Duration {
	if u.o.Live {
		return frameEvery
	}
	return lookEvery
}

func (u *UI) take() ([]any, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	batch := u.queue
	u.queue = nil
	return batch, u.closed
}

// look is what happens without an event: the bar moves, or a line says that it waits.
func (u *UI) look() {
	switch {
	case u.over:
	case u.o.Live:
		u.screen.paint(u.frame())
	default:
		u.screen.print(u.story.heartbeat(u.flow.now()))
	}
}

func (u *UI) show(what any) {
	if u.over {
		return
	}
	switch what := what.(type) {
	case fleet:
		u.fleet = what
		u.story.align(what.names)
		u.story.crowd = crowdOf(u.o, len(what.names))
	case deploy.Event:
		what = u.story.number(cleanEvent(what))
		lines := u.story.tell(what)
		if len(lines) > 0 || u.story.crowd == nil {
			lines = append(lines, u.o.CI.annotate(what)...)
		}
		u.screen.print(u.folder.fold(what, lines))
		if u.o.JSON {
			writeJSON(u.o.Out, what)
		}
	case deploy.Result:
		u.over = true
		u.screen.erase()
		u.screen.print(u.folder.close())
		u.result(u.story.complete(cleanResult(what)))
	}
}

func (u *UI) result(r deploy.Result) {
	if u.o.JSON {
		writeJSON(u.o.Out, r)
	} else {
		writeLines(u.o.Out, resultLines(u.fleet.app, r, u.story.crowd != nil))
	}
	if r.Error != "" {
		writeLines(u.o.Err, fault{text: r.Error, code: r.Code, hint: r.Hint}.lines())
		writeLines(u.o.Err, u.o.CI.annotation("error", joined(" ", "flipdeploy", r.Code), r.Error, r.Hint))
	}
	u.o.CI.summarize(u.fleet.app, r)
}
