// Package deploy decides the order of a rollout. It knows no wire: hosts,
// balancers, the health check, the journal and the screen are interfaces, so
// all of it runs under virtual time.
package deploy

import (
	"context"
	"time"
)

// A Release is a revision as it is installed on hosts: immutable.
type Release struct {
	ID       string // <revision>-<first 8 hex of SHA256>; "" means none
	Revision string
	SHA256   string // of the artifact, hex
	Size     int64  // of the artifact
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
	Owner    string // rollout id or "hand" of the owner mark, "" without one
	Taken    bool   // out, and not by the owner, who was only about to take it out
	Changing bool   // an edit of ours is not live yet: it counts as out, and may serve
	Detail   string // the balancer's own words, for people
}

// A Budget is checked on the balancer, in the script that acts.
type Budget struct {
	MinServing int      // hosts that must serve once the act has taken effect
	Parallel   int      // hosts that may carry an owner mark, this one included
	Beside     []string // hosts with marks of ours that return by the same change: they do not count
	Zones      []Floor  // of the hosts that leave
}

// A Floor is how many of some hosts must serve once the act has taken effect.
type Floor struct {
	Min   int
	Hosts []string
}

// A Balancer takes hosts out of rotation and puts them back. Every call that
// changes something is fenced, and safe to repeat.
type Balancer interface {
	Name() string
	// Seats tells where every host of the fleet stands.
	Seats(ctx context.Context) (map[string]Seat, error)
	// Claim leaves the owner mark of this rollout on host, or changes nothing and
	// tells why in a Refusal: floor, budget, a mark of another.
	Claim(ctx context.Context, host string, b Budget) error
	// Unclaim removes our mark: the host was never taken out, is in rotation again,
	// or a person took it over.
	Unclaim(ctx context.Context, host string) error
	// Drain stops new requests to a claimed host, read back. The floor is checked
	// again where it acts.
	Drain(ctx context.Context, host string, b Budget) error
	// Empty returns once no request is in flight to a drained host and none can
	// come. When ctx ends first the host stays drained and the error is a *BusyError.
	Empty(ctx context.Context, host string, say func(string)) error
	// Cut ends the sessions that a drained host still has.
	Cut(ctx context.Context, host string) error
	// Hold returns nil while a host stands as we left it. A state that the
	// balancer forgot is set again (again is true); a person's change is a Refusal.
	Hold(ctx context.Context, host string) (again bool, err error)
	// Ready puts a claimed host back, through the balancer's own checks, and
	// returns once the balancer says up and in rotation.
	Ready(ctx context.Context, host string, say func(string)) error
	// GiveBack puts a claimed host that was not changed back as it was found, at once.
	GiveBack(ctx context.Context, host string) error
	// Counters are the balancer's own for each of hosts, since its start.
	Counters(ctx context.Context, hosts []string) (map[string]Counters, error)
}

// A Running is what serves on a host now, proven from the process itself.
type Running struct {
	Release string // release id; "" when no process runs, "?" when it is none of ours
	PID     int
	Detail  string
	Adopts  string // what was found here and becomes Release while staging
	NoWay   string // why what was found cannot be come back to
}

// A Host is a machine that runs the app.
type Host interface {
	Name() string
	Stager
	Switcher
	App
}

// A Stager puts releases on a host. Nothing that runs is touched.
type Stager interface {
	// Stage returns once r is complete on the host, its sha256 compared there. tell is
	// told n bytes as they go out, of those that are to go out in all: fewer where the
	// host has something alike, more when that did not work out.
	Stage(ctx context.Context, r Release, tell func(n, of int64)) (Sent, error)
	// Prune removes releases beyond the number kept, never one of protect.
	Prune(ctx context.Context, protect []string) error
}

// Sent tells how a release came to a host.
type Sent struct {
	Bytes int64  // 0 when it was there already
	How   string // "a delta to v1-0a1b2c3d"; "" when all of it was sent as it is
	Note  string // what kept a shorter way from being gone
}

// A Switcher points a host at a release.
type Switcher interface {
	// Current is the release id the host points at, "" for none.
	Current(ctx context.Context) (string, error)
	// Flip returns once the host points at the release, read back. An empty id
	// leaves the host pointing nowhere, as it was found.
	Flip(ctx context.Context, id string) error
}

// An App is the program on one host.
type App interface {
	// Running tells what runs.
	Running(ctx context.Context) (Running, error)
	// Reload has the app take release id over: one trigger to the right process,
	// or a start where nothing runs. It returns once the takeover is proven.
	Reload(ctx context.Context, id string) error
	// Settled returns once the process that served before is gone and the app has
	// kept running id for the settle time, its unit active.
	Settled(ctx context.Context, id string) error
	// Alive re-reads the proof once: the process that Reload proved still runs id.
	Alive(ctx context.Context, id string) error
	// Restore ends processes born after Reload's trigger and returns once the app
	// provably runs id again; an empty id stops the app.
	Restore(ctx context.Context, id string) error
	// Log is the tail of the app's own log, cleaned.
	Log(ctx context.Context) []string
}

// A Checker asks a host for its health, straight, never through a balancer.
type Checker interface {
	// Healthy returns once the host gave the wanted number of good answers in a row
	// to every balancer's machine; before that, what the last bad one was. A
	// revision that is not empty must be the one answered, where that can be asked.
	Healthy(ctx context.Context, host, revision string) error
	// Probe asks once.
	Probe(ctx context.Context, host string) error
}

// A Journal keeps records on every balancer.
type Journal interface {
	// Append returns once the record is durable on every balancer that answers.
	Append(ctx context.Context, r Record) error
}

// A Record is one line of the journal.
type Record struct {
	Time    time.Time `json:"time"`
	Rollout string    `json:"rollout"`
	Epoch   int64     `json:"epoch"`
	Kind    string    `json:"kind"` // plan, intent, outcome, probe, end
	Host    string    `json:"host,omitempty"`
	Act     Phase     `json:"act,omitempty"`
	Release string    `json:"release,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Plan    *Plan     `json:"plan,omitempty"`
	Outcome Outcome   `json:"outcome,omitempty"`
	Probe   *Probe    `json:"probe,omitempty"`
	Doubt   bool      `json:"doubt,omitempty"` // the host is done, and the judge was in doubt of it
	Back    time.Time `json:"back,omitzero"`   // when the host was in rotation again, if that was since its last record
}
