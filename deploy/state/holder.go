package state

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"
)

// A Holder is who holds the lease, as others are told.
type Holder struct {
	User    string    `json:"user"`          // user@machine
	URL     string    `json:"url,omitempty"` // of the CI run
	Since   time.Time `json:"since"`
	Rollout string    `json:"rollout,omitempty"`
	Host    string    `json:"host,omitempty"` // in hand
}

// Whoami is this process as a Holder, the CI run from the usual variables of env
// (os.Getenv).
func Whoami(env func(string) string, rollout string, now time.Time) Holder {
	machine, err := os.Hostname()
	if err != nil {
		machine = "?"
	}
	who := cmp.Or(env("GITHUB_ACTOR"), env("GITLAB_USER_LOGIN"), env("BUILDKITE_BUILD_CREATOR"), env("USER"), env("LOGNAME"), login())
	return Holder{User: who + "@" + machine, URL: runURL(env), Since: now.UTC().Truncate(time.Second), Rollout: rollout}
}

// login is the user's name where no variable tells it.
func login() string {
	u, err := user.Current()
	if err != nil {
		return "?"
	}
	return u.Username
}

func runURL(env func(string) string) string {
	if id := env("GITHUB_RUN_ID"); id != "" {
		return strings.Join([]string{env("GITHUB_SERVER_URL"), env("GITHUB_REPOSITORY"), "actions/runs", id}, "/")
	}
	return cmp.Or(env("CI_JOB_URL"), env("BUILDKITE_BUILD_URL"), env("BUILD_URL"))
}

// String reads `ana@ci since 2026-11-21T03:07:12Z, rollout 20261121-030712-7f3a, host web3, https://…`.
func (h Holder) String() string {
	parts := []string{h.User}
	if !h.Since.IsZero() {
		parts[0] += " since " + h.Since.Format(time.RFC3339)
	}
	for _, p := range []struct{ word, value string }{{"rollout ", h.Rollout}, {"host ", h.Host}, {"", h.URL}} {
		if p.value != "" {
			parts = append(parts, p.word+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

// Line is the holder as it is kept, one line of JSON.
func (h Holder) Line() string {
	b, err := json.Marshal(h)
	if err != nil {
		panic(err) // only a year beyond 9999 does that
	}
	return string(b)
}

// ReadHolder reads what a holder wrote; a holder that has not written yet is
// "another run".
func ReadHolder(line string) Holder {
	var h Holder
	if json.Unmarshal([]byte(line), &h) != nil || h.User == "" {
		return Holder{User: "another run"}
	}
	h.User, h.URL, h.Rollout, h.Host = clean(h.User), clean(h.URL), clean(h.Rollout), clean(h.Host)
	return h
}

// A HeldError says that another run holds the lease.
type HeldError struct {
	App, Balancer string
	Holder        Holder
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s: locked on %s by %s", e.App, e.Balancer, e.Holder)
}

// Code is FD-LOCKED.
func (e *HeldError) Code() string { return "FD-LOCKED" }

// Hint is the next step.
func (e *HeldError) Hint() string {
	return "the lock goes when that run ends or dies; wait for it with --lock-wait 10m"
}

// A Freeze is a hold by hand; it never expires.
type Freeze struct {
	Reason string    `json:"reason"`
	Who    string    `json:"who"`
	Since  time.Time `json:"since"`

	line string // as it stands in the file
}

// readFreeze reads a freeze file; a file that somebody wrote with an editor is a
// freeze too, its text the reason.
func readFreeze(line string) Freeze {
	var f Freeze
	if json.Unmarshal([]byte(line), &f) != nil {
		f = Freeze{Reason: strings.TrimSpace(line)}
	}
	return Freeze{Reason: cmp.Or(clean(f.Reason), "no reason given"), Who: cmp.Or(clean(f.Who), "?"), Since: f.Since}
}

// A FrozenError says that a person has frozen the app.
type FrozenError struct {
	App, Balancer string
	Freeze        Freeze
}

func (e *FrozenError) Error() string {
	since := ""
	if !e.Freeze.Since.IsZero() {
		since = " since " + e.Freeze.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s: frozen on %s by %s%s: %s", e.App, e.Balancer, e.Freeze.Who, since, e.Freeze.Reason)
}

// Code is FD-FROZEN.
func (e *FrozenError) Code() string { return "FD-FROZEN" }

// Hint is the next step.
func (e *FrozenError) Hint() string {
	return "agree with " + e.Freeze.Who + ", then \"flipdeploy unlock\""
}

// A LostError is why the context of a lease ended.
type LostError struct{ Balancer, Why string }

func (e *LostError) Error() string { return fmt.Sprintf("lock lost on %s: %s", e.Balancer, e.Why) }

// Code is FD-LOCK-LOST.
func (e *LostError) Code() string { return "FD-LOCK-LOST" }

// Hint is the next step.
func (e *LostError) Hint() string { return hintStatus }
