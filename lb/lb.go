// Package lb takes hosts out of a balancer's rotation and puts them back. A driver
// returns check and act as one script; who runs it adds fence, owner mark and lock.
package lb

import (
	"context"
	"fmt"
	"strings"
)

// A Runner runs a POSIX shell script on the balancer's machine. The error is nil
// only for exit status 0.
type Runner interface {
	Run(ctx context.Context, script string) ([]byte, error)
}

// State is how one balancer sees one host, all its backends there together.
type State string

const (
	StateReady   State = "ready"   // in rotation
	StateDrain   State = "drain"   // gets no new requests
	StateMaint   State = "maint"   // taken out
	StateDown    State = "down"    // in rotation, failing the balancer's checks
	StateAbsent  State = "absent"  // the balancer does not know the host
	StateUnknown State = "unknown" // could not be asked
)

// A Seat is one host's place on one balancer.
type Seat struct {
	State    State
	Serving  bool   // in rotation and operational: counts for the floor
	Sessions int    // requests in flight and queued
	Owner    string // whose mark it carries; the driver does not know
	By       Out    // by whose hand it is out, where the balancer tells
	Detail   string // the balancer's own words, for people
	// Stale: the file was replaced after nginx read it, by us or by a rename or chmod, so
	// that State may not be what nginx does. With an owner mark, a run died in between:
	// the host is to be taken for out.
	Stale bool
}

// Out says by whose hand a host is out.
type Out string

const (
	ByUs    Out = "us"    // our flag, of whatever rollout
	ByOther Out = "other" // nobody's flag of ours
)

// A Floor is how many of some hosts must serve after an act that takes one away.
type Floor struct {
	Min   int
	Hosts []string
}

// alsoLines tell a script of floors beside the one of all hosts.
func alsoLines(also []Floor) string {
	var b strings.Builder
	for _, f := range also {
		fmt.Fprintf(&b, "also %d\n", f.Min)
		for _, h := range f.Hosts {
			fmt.Fprintf(&b, "among %s\n", h)
		}
	}
	return b.String()
}

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
