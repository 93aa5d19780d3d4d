package site_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A watched machine remembers how its streams ended.
type watched struct {
	*remote.Machine
	mu    sync.Mutex
	begun int
	ended []error
}

func (w *watched) Stream(ctx context.Context, script string, r io.Reader) ([]byte, error) {
	w.mu.Lock()
	w.begun++
	w.mu.Unlock()
	out, err := w.Machine.Stream(ctx, script, r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = append(w.ended, err)
	return out, err
}

// over waits until all streams have ended, of which there are at most so many, and returns how.
func (w *watched) over(t *testing.T, most int) (errs []error) {
	t.Helper()
	for range 500 {
		w.mu.Lock()
		begun, ended := w.begun, len(w.ended)
		errs = w.ended
		w.mu.Unlock()
		if begun <= most && ended == begun {
			return errs
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d of %d streams ended, want %d at most", len(w.ended), w.begun, most)
	return nil
}

// TestWhoIsNotNeededEndsByItself: of a script that was cut off nobody would know what it did.
func TestWhoIsNotNeededEndsByItself(t *testing.T) {
	for name, c := range map[string]struct {
		size    int
		before  func(t *testing.T, b *bench, a *site.Artifact)
		streams int
		want    string // code
		ctx     func(context.Context) context.Context
	}{
		"the release is there": {size: 16 << 20, streams: 5, before: func(_ *testing.T, b *bench, a *site.Artifact) { b.stage("v1-abc", a) }},
		"one session will do":  {size: 3 << 20, streams: 1},
		"the host refuses": {size: 16 << 20, streams: 5, want: "FD-PLANTED", before: func(t *testing.T, b *bench, _ *site.Artifact) {
			if err := os.Symlink("elsewhere", filepath.Join(b.dir, "releases")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b, y, a := newBench(t), farYard(t), artifact(t, c.size)
			if c.before != nil {
				c.before(t, b, a)
			}
			w := &watched{Machine: b.m}
			_, err := site.New(site.Config{Path: b.dir, Entry: "shop"}, w).Ship(t.Context(), "v1-abc", y.cargo(a), nil)
			if (err != nil || c.want != "") && code(err) != c.want {
				t.Errorf("got %v", err)
			}
			for _, err := range w.over(t, c.streams) {
				var exit *remote.ExitError
				var never *remote.NotStartedError // it was still waiting for its session
				if err != nil && !errors.As(err, &exit) && !errors.As(err, &never) {
					t.Errorf("one ended with %T: %[1]v", err)
				}
			}
			if c.want == "" && b.left() != "v1-abc" {
				t.Errorf("left %s", b.left())
			}
		})
	}
}

// TestARunThatIsCalledOffBeginsNothing: not later either.
func TestARunThatIsCalledOffBeginsNothing(t *testing.T) {
	b, y, a := newBench(t), farYard(t), artifact(t, 16<<20)
	w := &watched{Machine: b.m}
	if err := b.m.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := site.New(site.Config{Path: b.dir, Entry: "shop"}, w).Ship(ctx, "v1-abc", y.cargo(a), nil); err == nil {
		t.Error("nothing called it off")
	}
	time.Sleep(100 * time.Millisecond)
	if w.over(t, 0); b.left() != "" {
		t.Errorf("left %s", b.left())
	}
}

// TestFewSessionsWillDoFarAway: who asks comes before who stages, and that one before parts.
func TestFewSessionsWillDoFarAway(t *testing.T) {
	for _, few := range []string{"1", "2", "3", "5"} {
		t.Run(few, func(t *testing.T) {
			t.Parallel()
			b, y, a := benchOn(t, remotetest.Start(t, "MaxSessions "+few)), farYard(t), artifact(t, 9<<20)
			began := time.Now()
			if b.ship("v1-abc", y.cargo(a)); b.left() != "v1-abc" || time.Since(began) > 30*time.Second {
				t.Errorf("left %s after %s", b.left(), time.Since(began))
			}
		})
	}
}

// TestWhatWasLostBeforeItBeganIsBegunAnew: the connection ends while they stand by.
func TestWhatWasLostBeforeItBeganIsBegunAnew(t *testing.T) {
	for _, size := range []int{3 << 20, 16 << 20} {
		b, y, a := newBench(t), farYard(t), artifact(t, size)
		cable := remotetest.Plug(t, b.sshd.HostPort())
		b.sshd.TrustAt(t, cable.Addr)
		c := b.sshd.Config()
		c.Port = cable.Port()
		asked := func(*remote.Machine) { cable.Cut(); time.Sleep(300 * time.Millisecond) }
		s := site.New(site.Config{Path: b.dir, Entry: "shop"}, cutting{remotetest.Machine(t, c), asked})
		if done, err := s.Ship(t.Context(), "v1-abc", y.cargo(a), nil); err != nil || done.Note != "" || b.left() != "v1-abc" {
			t.Errorf("%d bytes: %+v, left %s: %v", size, done, b.left(), err)
		}
	}
}

// A cutting machine does something once it was asked what is there.
type cutting struct {
	*remote.Machine
	asked func(*remote.Machine)
}

func (c cutting) Run(ctx context.Context, script string) ([]byte, error) {
	out, err := c.Machine.Run(ctx, script)
	c.asked(c.Machine)
	return out, err
}

// TestWhyItWasCalledOffIsKept: a host's deadline has a code, and a way out.
func TestWhyItWasCalledOffIsKept(t *testing.T) {
	b, y, a := newBench(t), farYard(t), artifact(t, 3<<20)
	y.o.Limit = site.NewLimit(1 << 20)
	why := errors.New("the host's deadline")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, why)
	defer cancel()
	if _, err := b.site.Ship(ctx, "v1-abc", y.cargo(a), nil); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

// TestALookThatWasWaitedForInVainIsNotTakenAgain: what hangs would hang once more.
func TestALookThatWasWaitedForInVainIsNotTakenAgain(t *testing.T) {
	s := remotetest.Start(t)
	c := s.Config()
	c.CallTimeout = 300 * time.Millisecond
	m := &hanging{Machine: remotetest.Machine(t, c)}
	_, err := site.New(site.Config{Path: s.Dir, Entry: "shop"}, m).Observe(t.Context())
	var unknown *remote.UnknownError
	if !errors.As(err, &unknown) || !unknown.Overdue() || m.asked != 1 {
		t.Errorf("asked %d times: %v", m.asked, err)
	}
}

type hanging struct {
	*remote.Machine
	asked int
}

func (h *hanging) Run(ctx context.Context, _ string) ([]byte, error) {
	h.asked++
	return h.Machine.Run(ctx, "sleep 2")
}

// TestOldBytesAreFetchedBesideThoseWhoStandBy: that needs a session.
func TestOldBytesAreFetchedBesideThoseWhoStandBy(t *testing.T) {
	b, y, a := benchOn(t, remotetest.Start(t, "MaxSessions 3")), farYard(t), builds(t, 2)
	y.o.Hosts, y.o.Speed = 4, slow
	b.stage("v0-abc", a[0])
	if done := b.ship("v1-abc", y.cargo(a[1])); done.How != "a delta to v0-abc" || done.Note != "" {
		t.Errorf("%+v", done)
	}
}

func TestOrdersThatAreNotWholeAreNotFollowed(t *testing.T) {
	for name, c := range map[string]struct{ orders, want string }{
		"none":            {"", ""},
		"cut off":         {"a='1'\n", ""},
		"other bytes":     {"a='1'\n\x7fELF; echo run\n.\n", "!FD-STAGE-WRITE the orders are not whole\n"},
		"two lines":       {"a='1\n2'\n.\n", ""},
		"a long, odd one": {"a='$(echo run)'\nb='it'\"'\"'s'\n.\n", "$(echo run) it's\n"},
	} {
		heed, err := os.ReadFile("heed.sh")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "die() { echo \"!$1 $2\"; exit 64; }\n"+string(heed)+"printf '%s %s\\n' \"$a\" \"$b\"")
		cmd.Stdin = strings.NewReader(c.orders)
		if out, _ := cmd.Output(); string(out) != c.want {
			t.Errorf("%s: %q, want %q", name, out, c.want)
		}
	}
}
