package site

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAsManyChannelsAsAreFaster(t *testing.T) {
	const mb, far = 1_000_000, 100 * time.Millisecond
	for _, c := range []struct {
		name string
		lane lane
		size int64
		want int
	}{
		{"20 MB far away", lane{far, 300 * mb, 8, 1, trips}, 20 * mb, 4},
		{"60 MB far away", lane{far, 300 * mb, 8, 1, trips}, 60 * mb, 4},
		{"8 MB far away: it takes as long to begin and end", lane{far, 300 * mb, 8, 1, trips}, 8 * mb, 1},
		{"nearby", lane{0, 300 * mb, 8, 1, trips}, 60 * mb, 1},
		{"a limit below the window", lane{far, 20 * mb, 8, 1, trips}, 60 * mb, 1},
		{"a limit that two channels fill", lane{far, 42 * mb, 8, 1, trips}, 200 * mb, 4},
		{"three sessions, one of them stages", lane{far, 300 * mb, 3, 1, trips}, 60 * mb, 2},
		{"two sessions", lane{far, 300 * mb, 2, 1, trips}, 60 * mb, 1},
		{"8 MB far away, where sessions stand by", lane{far, 300 * mb, 8, 1, ready}, 8 * mb, 4},
		{"a connection that was lost", lane{far, 300 * mb, 0, 1, trips}, 60 * mb, 1},
	} {
		if got := c.lane.channels(c.size); got != c.want {
			t.Errorf("%s: %d channels, want %d", c.name, got, c.want)
		}
	}
}

// A single is a host that allows one session: whoever stages has it.
type single struct{ Machine }

func (single) Hold(context.Context) (func(), error)             { return func() {}, nil }
func (single) Connect(context.Context) error                    { return nil }
func (single) Answer() time.Duration                            { return 0 }
func (single) Lag() time.Duration                               { return 0 }
func (single) RoundTrip(context.Context) (time.Duration, error) { return time.Second, nil }
func (single) Sessions() int                                    { return 8 }

func (single) Run(context.Context, string) ([]byte, error) {
	return []byte("free 1000000000 1000\nhost Linux x86_64\n"), nil
}

func (single) Stream(ctx context.Context, script string, payload io.Reader) ([]byte, error) {
	if strings.Contains(script, "\npart=") {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	n, err := io.Copy(io.Discard, payload)
	if n < 4<<10 { // orders and ticks
		return nil, errors.Join(err, &Error{text: "the upload was cut short", code: "FD-STAGE-SHORT"})
	}
	return []byte("staged\n"), err
}

func TestWhereNoChannelOpensOneHasToDo(t *testing.T) {
	a := sparse(t, 20<<20)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := NewCargo(a, CargoOptions{Hosts: 1, Speed: 1 << 40, RoundTrip: time.Second})
		done, err := New(Config{Entry: "shop"}, single{}).Ship(t.Context(), "v1-abc", c, nil)
		if err != nil || done != (Shipped{Sent: a.Size, Note: "4 channels did not work out: the upload was cut short"}) {
			t.Errorf("%+v: %v", done, err)
		}
		if took := time.Since(began); took != starts {
			t.Errorf("after %s", took)
		}
	})
}

// A part may be held up on its way for longer than the run lives.
func TestAPartThatComesLateWritesNothing(t *testing.T) {
	dir, tools := t.TempDir(), t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "releases", ".stage-2-again"), 0o755),
		os.WriteFile(filepath.Join(tools, "sleep"), []byte("#!/bin/sh\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	script := New(Config{Path: dir, Epoch: 1}, nil).script(partScript, vars{"temp": "once", "part": "0", "bytes": "4"})
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Stdin = strings.NewReader("late")
	out, err := cmd.CombinedOutput()
	if want := "!FD-STAGE-SHORT nothing takes part 0\n"; string(out) != want || cmd.ProcessState.ExitCode() != 64 {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
	left, err := filepath.Glob(filepath.Join(dir, "releases", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it wrote %q, %v", left, err)
	}
}

// TestAStageThatCannotBeginLeavesNothing: room for one directory, and for no other in it.
func TestAStageThatCannotBeginLeavesNothing(t *testing.T) {
	dir, tools := t.TempDir(), t.TempDir()
	const mkdir = "#!/bin/sh\n/bin/mkdir \"$1\"; echo \"mkdir: $2: No space left on device\nmkdir: more\" >&2; exit 1\n"
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "releases"), 0o755), os.Mkdir(filepath.Join(dir, ".flipdeploy"), 0o755),
		os.WriteFile(filepath.Join(tools, "mkdir"), []byte(mkdir), 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	script := New(Config{Path: dir, Entry: "shop", Epoch: 1}, nil).script(stageScript, vars{"temp": "once", "id": "v1-abc", "kind": "file", "how": plain})
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	out, err := cmd.CombinedOutput()
	if want := "!FD-NO-SPACE mkdir: releases/.stage-1-once/release: No space left on device\n"; string(out) != want || cmd.ProcessState.ExitCode() != 64 {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
	left, err := os.ReadDir(filepath.Join(dir, "releases"))
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// sparse is an artifact of nothing.
func sparse(t *testing.T, size int64) *Artifact {
	p := filepath.Join(t.TempDir(), "shop")
	if err := errors.Join(os.WriteFile(p, nil, 0o755), os.Truncate(p, size)); err != nil {
		t.Fatal(err)
	}
	a, err := OpenArtifact(p, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// A distance is that of a host, as long as it answers.
type distance struct {
	Machine
	lag   time.Duration
	trips []time.Duration // one answer after the other
	asked int
}

func (d *distance) Sessions() int       { return 8 }
func (d *distance) Lag() time.Duration  { return d.lag }
func (*distance) Answer() time.Duration { return 0 }

func (d *distance) RoundTrip(context.Context) (time.Duration, error) {
	if d.asked++; d.asked > len(d.trips) {
		return 0, errors.New("no answer")
	}
	return d.trips[d.asked-1], nil
}

func TestTheRoundTripIsMeasuredOnceForAll(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		host  *distance
		trip  time.Duration
		asked int
	}{
		{"nearby", &distance{trips: []time.Duration{ms}}, ms, 1},
		{"far away", &distance{trips: []time.Duration{101 * ms, 100 * ms}}, 100 * ms, 2},
		{"nearby, and busy for a moment", &distance{trips: []time.Duration{50 * ms, ms}}, ms, 2},
		{"without an answer", &distance{}, farAway, 1},
		{"without a second one", &distance{trips: []time.Duration{90 * ms}}, 90 * ms, 2},
	} {
		cargo := NewCargo(&Artifact{}, CargoOptions{})
		for range 2 {
			if trip, _ := cargo.tripTo(t.Context(), c.host); trip != c.trip || c.host.asked != c.asked {
				t.Errorf("%s: %s, asked %d times", c.name, trip, c.host.asked)
			}
		}
		if c.trip < farAway {
			continue
		}
		if r := cargo.road(t.Context(), c.host); r.speed != farRate {
			t.Errorf("%s: %.0f bytes a second", c.name, r.speed)
		}
	}
}
