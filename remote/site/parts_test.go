package site_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// farYard is a runner far away from its hosts, with a fast link to them.
func farYard(t *testing.T) *yard {
	y := newYard(t)
	y.o.Speed, y.o.RoundTrip = 1<<40, 5*time.Second
	return y
}

func TestOverLatencyAReleaseComesInSeveralChannels(t *testing.T) {
	b, y, a := newBench(t), farYard(t), artifact(t, 16<<20)
	var passed, of int64
	done, err := b.site.Ship(t.Context(), "v1-abc", y.cargo(a), func(n, all int64) { passed, of = passed+n, all })
	if err != nil || done != (site.Shipped{Sent: a.Size, How: "4 channels"}) || passed != a.Size || of != a.Size {
		t.Errorf("%+v, told %d of %d: %v", done, passed, of, err)
	}
	if got, err := os.ReadFile(b.site.EntryPath("v1-abc")); err != nil || fmt.Sprintf("%x", sha256.Sum256(got)) != a.SHA256 {
		t.Errorf("other bytes: %v", err)
	}
	if b.left() != "v1-abc" {
		t.Errorf("left %s", b.left())
	}
}

// A meddler does something beside, or instead of, what brings part 1.
type meddler struct {
	*remote.Machine
	part func(m *remote.Machine, ctx context.Context, script string, r io.Reader) ([]byte, error)
}

func (m meddler) Stream(ctx context.Context, script string, r io.Reader) ([]byte, error) {
	if !strings.Contains(script, "\npart=1\n") {
		return m.Machine.Stream(ctx, script, r)
	}
	return m.part(m.Machine, ctx, script, r)
}

// An after gives what one that stands by is told first, and then what rest makes of the others.
type after struct {
	r      io.Reader
	rest   func(io.Reader) io.Reader
	orders []byte
}

func (a *after) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if a.orders == nil {
		a.orders, a.r = bytes.Clone(p[:n]), a.rest(a.r)
	}
	return n, err
}

func TestAPartThatDoesNotComeIsNoRelease(t *testing.T) {
	for name, c := range map[string]struct {
		part func(m *remote.Machine, ctx context.Context, script string, r io.Reader) ([]byte, error)
		want string // of the note
	}{
		"cut short": {func(m *remote.Machine, ctx context.Context, script string, r io.Reader) ([]byte, error) {
			return m.Stream(ctx, script, &after{r: r, rest: func(r io.Reader) io.Reader { return io.LimitReader(r, 1000) }})
		}, "4 channels did not work out: the upload was cut short: 1000 of 4194308 bytes of part 1 came"},
		"with other bytes": {func(m *remote.Machine, ctx context.Context, script string, r io.Reader) ([]byte, error) {
			return m.Stream(ctx, script, &after{r: r, rest: func(r io.Reader) io.Reader { return flipped{r} }})
		}, "4 channels did not work out: the host received other bytes: its sha256 is "},
		"twice": {func(m *remote.Machine, ctx context.Context, script string, r io.Reader) ([]byte, error) {
			a := &after{r: r, rest: func(r io.Reader) io.Reader { return r }}
			out, err := m.Stream(ctx, script, a)
			if _, again := m.Stream(ctx, script, io.MultiReader(bytes.NewReader(a.orders), strings.NewReader("other"))); again == nil {
				return nil, errors.New("it was taken twice")
			}
			return out, err
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, y, a := newBench(t), farYard(t), artifact(t, 16<<20)
			b.site = site.New(site.Config{Path: b.dir, Entry: "shop"}, meddler{b.m, c.part})
			done := b.ship("v1-abc", y.cargo(a))
			if !strings.HasPrefix(done.Note, c.want) || (c.want == "") != (done.Note == "") {
				t.Errorf("%+v\nwant %s", done, c.want)
			}
			if b.left() != "v1-abc" {
				t.Errorf("left %s", b.left())
			}
		})
	}
}

func TestFewSessionsWillDoForChannels(t *testing.T) {
	// Who stages has one of the two.
	b, y := benchOn(t, remotetest.Start(t, "MaxSessions 2")), farYard(t)
	for left := 3; ; left-- {
		id, a, began := fmt.Sprintf("v%d-abc", left), artifact(t, 16<<20), time.Now()
		done := b.ship(id, y.cargo(a))
		if done == (site.Shipped{Sent: a.Size, How: "4 channels"}) && b.left() == id {
			return
		}
		// Who has no answer after 5 s may get one channel: only such a run may be tried again.
		if left == 1 || time.Since(began) < 5*time.Second {
			t.Fatalf("%+v after %s, left %s", done, time.Since(began), b.left())
		}
		_ = os.RemoveAll(filepath.Join(b.dir, "releases", id))
	}
}

func TestChannelsKeepToTheLimitTogether(t *testing.T) {
	b, y, a := newBench(t), farYard(t), artifact(t, 16<<20)
	y.o.Limit = site.NewLimit(6 << 20)
	began := time.Now()
	done := b.ship("v1-abc", y.cargo(a))
	if took := time.Since(began); done.How != "4 channels" || took < 2400*time.Millisecond {
		t.Errorf("%+v after %s", done, took)
	}
}
