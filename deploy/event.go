package deploy

import "time"

// Phase is where a host stands; the same word in events, journal, text and errors.
type Phase string

const (
	Pending    Phase = "pending"
	Staging    Phase = "staging"
	Staged     Phase = "staged"
	Draining   Phase = "draining"
	Drained    Phase = "drained"
	Flipping   Phase = "flipping"
	Reloading  Phase = "reloading"
	Verifying  Phase = "verifying"
	Readying   Phase = "readying"
	Baking     Phase = "baking"
	Done       Phase = "done"
	Failed     Phase = "failed"      // out, ours
	RolledBack Phase = "rolled_back" // back on what it ran before
	Stuck      Phase = "stuck"       // out, its undo failed
	LeftOut    Phase = "left_out"    // was out before us, or a person took it over
	Unknown    Phase = "unknown"     // cannot be asked or fenced
)

// Kind is what an Event tells of.
type Kind string

const (
	KindPlan    Kind = "plan"
	KindHost    Kind = "host"
	KindLB      Kind = "lb"
	KindLock    Kind = "lock"
	KindHook    Kind = "hook" // a command of the deploying machine was run
	KindWarning Kind = "warning"
	KindError   Kind = "error"
	KindResult  Kind = "result"
)

// An Event is all that the engine says; screens and files are made from it.
// The JSON names are the contract.
type Event struct {
	Seq       int64     `json:"seq"`
	Time      time.Time `json:"time"`
	Rollout   string    `json:"rollout,omitempty"`
	Kind      Kind      `json:"kind"`
	Host      string    `json:"host,omitempty"`
	Phase     Phase     `json:"phase,omitempty"`
	LB        string    `json:"lb,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	ElapsedMS int64     `json:"elapsed_ms,omitempty"`
	Code      string    `json:"code,omitempty"`
	Hint      string    `json:"hint,omitempty"`
	Evidence  []string  `json:"evidence,omitempty"`
	Serving   *int      `json:"serving,omitempty"` // hosts that serve, on the balancer that has fewest; told when it changes

	Bytes int64 `json:"-"` // while staging: bytes sent since the last event, for the bar only
	Of    int64 `json:"-"` // while staging: bytes to send to this host
	Total int64 `json:"-"` // while staging: bytes to send in all, as far as is known
}

// Outcome is how a run ended.
type Outcome string

const (
	OutcomeDone        Outcome = "done"
	OutcomeNothing     Outcome = "nothing"
	OutcomeRefused     Outcome = "refused"
	OutcomePaused      Outcome = "paused"
	OutcomeStuck       Outcome = "stuck"
	OutcomeLocked      Outcome = "locked"
	OutcomeUnfinished  Outcome = "unfinished"
	OutcomeRolledBack  Outcome = "rolled_back"
	OutcomeInterrupted Outcome = "interrupted"
	Abandoned          Outcome = "abandoned" // of a past rollout only: no run ends so
)

// A Result is the last event of every run.
type Result struct {
	Kind           Kind                  `json:"kind"`
	Seq            int64                 `json:"seq"`
	Time           time.Time             `json:"time"`
	Rollout        string                `json:"rollout,omitempty"`
	Outcome        Outcome               `json:"outcome"`
	Exit           int                   `json:"exit"`
	Code           string                `json:"code,omitempty"`
	Error          string                `json:"error,omitempty"`
	Hint           string                `json:"hint,omitempty"`
	Revision       string                `json:"revision,omitempty"`
	Previous       string                `json:"previous,omitempty"`
	Hosts          map[string]HostResult `json:"hosts"`
	MinServingSeen int                   `json:"min_serving_seen"`
	BytesSent      int64                 `json:"bytes_sent"`
	BytesArtifact  int64                 `json:"bytes_artifact"`
	ElapsedMS      int64                 `json:"elapsed_ms"`
	Probe          *Probe                `json:"probe,omitempty"`
}

// A HostResult is where one host ended.
type HostResult struct {
	Phase   Phase  `json:"phase"`
	Release string `json:"release"`
	OutMS   int64  `json:"out_ms"`
	Code    string `json:"code,omitempty"`
	Reason  string `json:"reason,omitempty"`
}
