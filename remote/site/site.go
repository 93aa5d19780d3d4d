// Package site keeps the app's directory on one host: releases/<id>/, current,
// and .flipdeploy/ with the fence. Whatever changes something there is one script
// that checks its epoch under a lock, and then acts.
package site

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"

	"github.com/flipdeploy/flipdeploy/remote"
)

// A Machine runs scripts on the host, and knows how far that is.
type Machine interface {
	Run(ctx context.Context, script string) (stdout []byte, err error)
	Stream(ctx context.Context, script string, payload io.Reader) (stdout []byte, err error)
	Fetch(ctx context.Context, script string, to io.Writer) error
	Hold(ctx context.Context) (release func(), err error) // the connection, for several of these
	Connect(ctx context.Context) error

	RoundTrip(ctx context.Context) (time.Duration, error)
	Answer() time.Duration // a round trip, and what the host was busy with, as seen when it was connected; 0: unknown
	Lag() time.Duration    // the way's share of that, 0 where nobody knows it
	Sessions() int         // more that can carry bytes side by side
}

// Ways to install a release.
const (
	Symlink = "symlink" // current -> releases/<id>
	Replace = "replace" // and the entry renamed over Binary
)

// Config is where and how the app is installed.
type Config struct {
	Path    string // app root, absolute
	Entry   string // program inside a release
	Install string // Symlink or Replace
	Binary  string // with Replace: relative to Path
	Keep    int    // releases kept
	Epoch   int64  // of the run that acts
	User    string // whom the directory must belong to, for hints
}

// A Site is the app's directory on one host.
type Site struct {
	cfg Config
	m   Machine
}

// New does no input or output.
func New(c Config, m Machine) *Site {
	if c.Install == "" {
		c.Install = Symlink
	}
	return &Site{c, m}
}

// WithEpoch is the same site acting with another epoch.
func (s *Site) WithEpoch(epoch int64) *Site {
	c := s.cfg
	c.Epoch = epoch
	return &Site{c, s.m}
}

// EntryPath is where the release's program is on the host.
func (s *Site) EntryPath(id string) string {
	return path.Join(s.cfg.Path, "releases", id, s.cfg.Entry)
}

//go:embed lib.sh
var lib string

// vars become shell variables of a script, quoted.
type vars map[string]string

func (s *Site) script(body string, more vars) string {
	all := vars{
		"path": s.cfg.Path, "user": s.cfg.User, "entry": s.cfg.Entry,
		"install": s.cfg.Install, "binary": s.cfg.Binary,
		"epoch": strconv.FormatInt(s.cfg.Epoch, 10), "keep": strconv.Itoa(s.cfg.Keep),
	}
	var b strings.Builder
	all.write(&b)
	more.write(&b)
	b.WriteString(lib)
	b.WriteString(body)
	return b.String()
}

func (v vars) write(b *strings.Builder) {
	for name, value := range v {
		b.WriteString(name + "=" + shellescape.Quote(value) + "\n")
	}
}

func (s *Site) run(ctx context.Context, body string, more vars) ([]byte, error) {
	out, err := s.m.Run(ctx, s.script(body, more))
	return out, s.explain(err)
}

// thorough is run for a script that reads, copies or removes whole releases.
func (s *Site) thorough(ctx context.Context, body string, more vars) ([]byte, error) {
	return s.run(patient(ctx), body, more)
}

func patient(ctx context.Context) context.Context { return remote.Patient(ctx, 10*time.Minute) }

var releaseID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`)

func checkID(id string) error {
	if !releaseID.MatchString(id) {
		return &Error{text: fmt.Sprintf("%q is no release id", id), code: "FD-RELEASE-ID",
			hint: "use letters, digits and . _ + - in the revision"}
	}
	return nil
}
