package site

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flipdeploy/flipdeploy/remote"
)

//go:embed observe.sh
var observeScript string

// Facts are what a host says about the app's directory.
type Facts struct {
	User       string // who we are there
	Arch       string // as uname -m has it
	Exists     bool
	Writable   bool
	Foreign    []string // directories of the app that belong to somebody else
	Loose      []string // directories in the way in which others may plant things
	NoExec     bool     // the file system runs no programs
	Current    string   // as Site.Current
	NoLink     bool     // current is there, and no link
	NoReplace  string   // why nothing can be renamed over the binary
	Fence      int64
	Releases   map[string]string // complete ones: id -> sha256 of the artifact
	FreeBytes  int64
	FreeInodes int64 // -1: not told
	Tools      []string
}

// Observe reads the host and changes nothing, so it asks once more where the answer was lost;
// not one that it has waited for in vain.
func (s *Site) Observe(ctx context.Context) (Facts, error) {
	out, err := s.run(ctx, keptLib+toolsLib+observeScript, nil)
	if unknown := (*remote.UnknownError)(nil); errors.As(err, &unknown) && !unknown.Overdue() && ctx.Err() == nil {
		out, err = s.run(ctx, keptLib+toolsLib+observeScript, nil)
	}
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Releases: map[string]string{}, FreeInodes: -1}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if err := s.learn(&f, key, value); err != nil {
			return f, fmt.Errorf("observe: %s: %w", key, err)
		}
	}
	return f, nil
}

func (s *Site) learn(f *Facts, key, value string) (err error) {
	switch key {
	case "user":
		f.User = value
	case "arch":
		f.Arch = value
	case "exists":
		f.Exists = true
	case "writable":
		f.Writable = true
	case "foreign":
		f.Foreign = append(f.Foreign, value)
	case "loose":
		f.Loose = append(f.Loose, value)
	case "noexec":
		f.NoExec = true
	case "current":
		f.Current = s.idOf(value)
	case "nolink":
		f.NoLink = true
	case "replace":
		f.NoReplace = value
	case "tool":
		f.Tools = append(f.Tools, value)
	case "release":
		id, sha, _ := strings.Cut(value, "\t")
		f.Releases[id] = sha
	case "fence":
		f.Fence, err = strconv.ParseInt(value, 10, 64)
	case "free":
		f.FreeBytes, err = strconv.ParseInt(value, 10, 64)
	case "inodes":
		if value != "" {
			f.FreeInodes, err = strconv.ParseInt(value, 10, 64)
		}
	}
	return err
}

// Preflight is all that keeps release a from being staged on a host with these
// facts, nil when nothing does.
func (s *Site) Preflight(f Facts, id string, a *Artifact) []error {
	var found []error
	add := func(code, detail string) {
		text, hint := s.words(code, detail)
		found = append(found, &Error{text: text, code: code, hint: hint})
	}
	switch {
	case !f.Exists:
		add("FD-APP-PATH", s.cfg.Path+" does not exist")
	case !f.Writable:
		add("FD-APP-PATH", fmt.Sprintf("%s cannot be written by %s", s.cfg.Path, f.User))
	default:
		for _, d := range f.Foreign {
			add("FD-APP-PATH", fmt.Sprintf("%s belongs to somebody else than %s", d, f.User))
		}
	}
	for _, d := range f.Loose {
		add("FD-DIR-WRITABLE", d)
	}
	if f.NoExec {
		add("FD-NOEXEC", s.cfg.Path)
	}
	if f.NoLink {
		add("FD-CURRENT", s.cfg.Path+"/current")
	}
	if f.NoReplace != "" {
		add("FD-REPLACE", f.NoReplace)
	}
	for _, t := range a.tools() {
		if !slices.Contains(f.Tools, t) {
			add("FD-HOST-TOOL", t)
		}
	}
	if f.Releases[id] != a.SHA256 {
		if text := a.room(f.FreeBytes, f.FreeInodes); text != "" {
			add("FD-NO-SPACE", text)
		}
	}
	if !a.RunsOn(f.Arch) {
		found = append(found, &Error{text: fmt.Sprintf("the artifact is for %s, the host is %s", a.Machine, f.Arch),
			code: "FD-ARCH", hint: "build for the host's architecture: GOARCH=… go build"})
	}
	return found
}
