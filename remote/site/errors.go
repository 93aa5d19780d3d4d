package site

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/flipdeploy/flipdeploy/remote"
)

// An Error tells why the app's directory on a host cannot be used as asked.
type Error struct {
	text, code, hint string
	err              error
}

func (e *Error) Error() string { return e.text }
func (e *Error) Unwrap() error { return e.err }

// Code is the stable code.
func (e *Error) Code() string { return e.code }

// Hint is the next step for a person.
func (e *Error) Hint() string { return e.hint }

// A FencedError tells that a newer run has been on this host: nothing was done.
type FencedError struct {
	Epoch int64  // ours
	Fence string // what the host has
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("a newer run has taken over: this one has epoch %d, the host %s", e.Epoch, e.Fence)
}

// Code is FD-FENCED.
func (e *FencedError) Code() string { return "FD-FENCED" }

// Hint is the next step for a person.
func (e *FencedError) Hint() string { return "see who acts now: flipdeploy status" }

// Refusal is the reason in the engine's words.
func (e *FencedError) Refusal() string { return "fenced" }

// exited is what a script that ended by itself tells.
type exited interface {
	error
	ExitCode() int
	Stdout() []byte
}

// dieStatus is the exit status of a script's own errors.
const dieStatus = 64

// explain turns what a script said with die into an Error.
func (s *Site) explain(err error) error {
	var exit exited
	if !errors.As(err, &exit) || exit.ExitCode() != dieStatus {
		return err
	}
	out := exit.Stdout()
	i := bytes.LastIndex(append([]byte("\n"), out...), []byte("\n!"))
	if i < 0 {
		return err
	}
	code, detail, _ := strings.Cut(string(out[i+1:]), " ")
	detail = strings.TrimSpace(remote.Clean(detail))
	if code == "FD-FENCED" {
		return &FencedError{s.cfg.Epoch, detail}
	}
	text, hint := s.words(code, detail)
	return &Error{text, code, hint, err}
}

// words are the text and the hint of a script's error.
func (s *Site) words(code, detail string) (text, hint string) {
	p := s.cfg.Path
	switch code {
	case "FD-APP-PATH":
		dir, _, _ := strings.Cut(detail, " ")
		return detail, s.makeHint(dir)
	case "FD-DIR-WRITABLE":
		return "others may write to " + detail, "sudo chmod g-w,o-w " + detail
	case "FD-PLANTED":
		return detail, "find out who made it, then remove it"
	case "FD-HOST-TOOL":
		return detail + " is missing on the host", "install it: flock is in util-linux, sha256sum in coreutils"
	case "FD-GIVEN-UP":
		return "the run went on without this call, and it did nothing", "look at it with \"flipdeploy status\""
	case "FD-HOST-LOCK":
		return detail + " is held for more than 10s", "see who holds it on the host: fuser -v " + detail
	case "FD-FENCE-BROKEN":
		return fmt.Sprintf("%s/.flipdeploy/fence holds %q, no number", p, detail), "remove the file when no rollout runs"
	case "FD-NO-SPACE":
		return "no room under " + p + ": " + detail, "make room on the host, or lower app.keep: df -h " + p + "; df -i " + p
	case "FD-DISK":
		return "the host's disk did not take what was written: " + detail, "look at the disk: dmesg, on the host"
	case "FD-STAGE-SHORT":
		return "the upload was cut short: " + detail, "run it again"
	case "FD-STAGE-SHA":
		return "the host received other bytes: its sha256 is " + detail, "run it again; if it stays so, check the host's memory and disk"
	case "FD-PULL":
		return detail, "try it on the host with curl; what is fetched there needs no way through the runner"
	case "FD-PULL-OTHER":
		return "the host fetched another file than app.sha256 names: " + detail, "find out who changed the file at its origin; nothing became a release"
	case "FD-DELTA":
		return "apply the delta: " + detail, "run it again"
	case "FD-STAGE-ENTRY":
		return "the release has no executable " + detail, "check app.entry and the file's mode in the artifact"
	case "FD-STAGE-UNPACK":
		return "unpack: " + detail, "unpack the artifact on the host by hand with tar"
	case "FD-STAGE-DAMAGED":
		return "release " + detail + " is damaged, and current points at it", "release another revision, then remove it"
	case "FD-NOEXEC":
		return "programs cannot be run from " + detail, "mount it without noexec, or choose another app.path"
	case "FD-RELEASE-MISSING":
		return "release " + detail + " is not on the host", "roll it out again, or choose one of: ls " + p + "/releases"
	case "FD-CURRENT":
		return detail + " is no symbolic link", "move it away; flipdeploy makes its own"
	case "FD-ADOPT":
		return "keep what was found: " + detail, "see that nobody else changes " + p + ", then run it again"
	case "FD-REPLACE":
		return "put the release at " + s.cfg.Binary + ": " + detail, "its directory must exist, belong to the SSH user, and be on the file system of " + p + "/releases"
	case "FD-FLIP-READBACK":
		return "the flip did not hold: " + detail, "something else changes " + p + "; stop it"
	}
	return detail, "look at " + p + " on the host"
}

// makeHint is the command that makes a directory of the app, or makes it ours.
func (s *Site) makeHint(dir string) string {
	if !strings.HasPrefix(dir, s.cfg.Path) {
		dir = s.cfg.Path
	}
	user := s.cfg.User
	if user == "" {
		user = "USER"
	}
	return fmt.Sprintf("sudo install -d -o %s -m 0755 %s", user, dir)
}
