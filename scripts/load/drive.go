package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A class is one kind of traffic. Its requests start at fixed times; one that
// finds all connections busy opens another.
type class struct {
	name  string
	every time.Duration
	open  int // connections opened beforehand
	fresh bool
	build func(n int) request
}

// classes are the standard load: 263 requests a second in all.
var classes = []class{
	{name: "keepalive", every: 7500 * time.Microsecond, open: 16, build: getRoot},
	{name: "fresh", every: 16667 * time.Microsecond, fresh: true, build: getRoot},
	{name: "post", every: 16667 * time.Microsecond, open: 8, build: postEcho},
	{name: "slow", every: 100 * time.Millisecond, build: getSlow}, // 1.5 s each: 15 in flight
}

const (
	leastRate   = 200 // requests a second; fewer is not the standard load
	maxInFlight = 2000
	maxLate     = time.Second
)

// drive sends all classes until ctx ends, and returns once every request was
// answered or failed and every connection is closed.
func drive(ctx context.Context, targets []target, retry bool, t *tally, running func()) {
	var lanes []*lane
	for _, c := range classes {
		l := newLane(c, targets, t)
		l.retry = retry
		lanes = append(lanes, l)
	}
	t.begin(time.Now())
	running()
	var wg sync.WaitGroup
	for _, l := range lanes {
		wg.Go(func() { l.send(ctx) })
	}
	<-ctx.Done()
	t.end(time.Now())
	wg.Wait()
}

// A lane sends the requests of one class.
type lane struct {
	class
	pools []*pool // one a target
	tally *tally
	retry bool
}

func newLane(c class, targets []target, t *tally) *lane {
	l := &lane{class: c, tally: t}
	for i, tg := range targets {
		p := &pool{target: tg}
		l.pools = append(l.pools, p)
		for n := i; n < c.open; n += len(targets) {
			if err := p.preopen(); err != nil {
				t.fail(c.name, err)
			}
		}
	}
	return l
}

// send starts one request at each of its times, and returns once all ended.
func (l *lane) send(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxInFlight)
	start := time.Now()
	for n := 0; wait(ctx, start.Add(time.Duration(n)*l.every)); n++ {
		if late := time.Since(start) - time.Duration(n)*l.every; late > maxLate {
			l.tally.fail(l.name, &failure{kind: "generator", text: fmt.Sprintf("request %d started %v late", n, late.Round(time.Millisecond))})
		}
		select {
		case slots <- struct{}{}:
			wg.Go(func() { l.one(n); <-slots })
		default:
			l.tally.fail(l.name, &failure{kind: "generator", text: fmt.Sprintf("more than %d requests in flight", maxInFlight)})
		}
	}
	wg.Wait()
	for _, p := range l.pools {
		l.tally.reopened(p.close())
	}
}

// wait returns true at that time, false when ctx ends first.
func wait(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// one sends request n and counts how it ended.
func (l *lane) one(n int) {
	start := time.Now()
	p, r := l.pools[n%len(l.pools)], l.build(n)
	version, err := l.exchange(p, r)
	if l.retry && !l.fresh && again(r, err) {
		l.tally.again(l.name)
		version, err = p.once(r)
	}
	if err != nil {
		l.tally.fail(l.name, err)
		return
	}
	l.tally.serve(l.name, version, time.Since(start))
}

// again: as browsers and every HTTP library do (RFC 9110 section 9.2.2), a GET whose
// connection ended without an answer may be sent once more.
func again(r request, err error) bool {
	var f *failure
	return r.method == "GET" && errors.As(err, &f) && slices.Contains([]string{"write", "reset", "closed", "idle"}, f.kind)
}

func (l *lane) exchange(p *pool, r request) (version string, err error) {
	if l.fresh {
		return p.once(r)
	}
	return p.reuse(r)
}
