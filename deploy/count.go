package deploy

import "context"

// Counters are what a balancer counted for one host; they only grow, except
// when the balancer restarts.
type Counters struct {
	Generation string // changes when the balancer restarted and counts anew
	Requests   int64  // that were answered; 0 where the balancer does not count them
	Errors5xx  int64
	Broken     int64 // answers that were none, or only half of one
	Connect    int64 // connections that failed
	Retries    int64 // requests tried again, redispatched ones included
	ChecksDown int64 // times the balancer's own checks took it down
}

// plus adds d so many times.
func (c Counters) plus(d Counters, times int64) Counters {
	c.Requests += times * d.Requests
	c.Errors5xx += times * d.Errors5xx
	c.Broken += times * d.Broken
	c.Connect += times * d.Connect
	c.Retries += times * d.Retries
	c.ChecksDown += times * d.ChecksDown
	return c
}

// Tally has what was tried again as a failure, too, though no client saw it.
func (c Counters) Tally() Tally {
	lost := c.Broken + c.Connect + c.Retries
	return Tally{Requests: c.Requests + lost, Errors: c.Errors5xx + lost}
}

// since is what a balancer counted for a host between two moments; false where it
// cannot say that: it restarted, its counters were cleared, it did not answer.
func since(before, after map[string]Counters, host string) (Counters, bool) {
	a, was := before[host]
	b, is := after[host]
	d := b.plus(a, -1)
	shrank := min(d.Requests, d.Errors5xx, d.Broken, d.Connect, d.Retries, d.ChecksDown) < 0
	return d, was && is && a.Generation == b.Generation && !shrank
}

// Between is what a balancer counted for a host and for all others that it can say it of;
// false where it cannot of the host.
func Between(before, after map[string]Counters, host string, others []string) (one, all Counters, whole bool) {
	for _, name := range others {
		if d, whole := since(before, after, name); whole {
			all = all.plus(d, 1)
		}
	}
	one, whole = since(before, after, host)
	return one, all, whole
}

// A count is what the balancers had counted at one moment.
type count struct {
	old []string // the hosts that serve with the old release
	by  map[string]map[string]Counters
}

// count asks the balancers; one that does not answer has counted nothing.
func (l *life) count(ctx context.Context) count {
	c := count{old: l.run.unchanged(l.plan), by: map[string]map[string]Counters{}}
	for _, b := range l.lbs {
		if m, err := l.run.counters(ctx, b, l.host.Name(), c.old); err == nil {
			c.by[b.Name()] = m
		}
	}
	return c
}

// counters are b's for a host and for those on the old release. In a large fleet hundreds of
// hosts bake at a time, and each balancer has one answer for all: it is asked once for all of
// them who want to know now.
func (x *run) counters(ctx context.Context, b Balancer, host string, old []string) (map[string]Counters, error) {
	if len(x.hosts) < many {
		return b.Counters(ctx, append([]string{host}, old...))
	}
	return x.counts[b.Name()].Get(ctx, func(ctx context.Context) (map[string]Counters, error) { return b.Counters(ctx, x.names) })
}

// many hosts share a question.
const many = 256

// unchanged are the hosts in rotation that the run has not touched, and that run
// another release than h is to, or wait to be restarted as it was.
func (x *run) unchanged(h PlannedHost) (names []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, v := range x.hosts {
		waits := v.Phase == Staged || v.Phase == Pending
		if waits && v.Serving && !v.Busy && !v.Changed && (v.Release != h.To || h.Again) {
			names = append(names, v.Name)
		}
	}
	return names
}
