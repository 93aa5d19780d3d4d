package site_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// own builds what stands for flipdeploy's own program, once.
var own = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "flipdeploy-own-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "apply")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", name, "./testdata/apply")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return name, err
})

// slow is a link over which few bytes are worth a lot.
const slow = 1 << 20

// A yard is a runner with its cache.
type yard struct {
	t *testing.T
	o site.CargoOptions
}

func newYard(t *testing.T) *yard {
	name, err := own()
	if err != nil {
		t.Fatal(err)
	}
	return &yard{t, site.CargoOptions{Hosts: 1, Helper: name, Cache: &site.Cache{Dir: filepath.Join(t.TempDir(), "cache")}, Speed: slow}}
}

func (y *yard) cargo(a *site.Artifact) *site.Cargo {
	c := site.NewCargo(a, y.o)
	y.t.Cleanup(func() { _ = c.Close() })
	return c
}

// builds are a program's builds, each a little longer than the one before.
func builds(t *testing.T, n int) []*site.Artifact {
	text := randomBytes(6 << 20)
	var all []*site.Artifact
	for i := range n {
		at := 1000 + i*100_000
		text = append(append(bytes.Clone(text[:at]), fmt.Sprintf("build %d", i)...), text[at:]...)
		p := filepath.Join(t.TempDir(), "shop")
		if err := os.WriteFile(p, append([]byte("#!/bin/sh\nexit 0\n"), text...), 0o755); err != nil {
			t.Fatal(err)
		}
		all = append(all, open(t, p, ""))
	}
	return all
}

func (b *bench) ship(id string, c *site.Cargo) site.Shipped {
	b.t.Helper()
	done, err := b.site.Ship(b.t.Context(), id, c, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := os.ReadFile(b.site.EntryPath(id))
	want, _ := io.ReadAll(c.Reader())
	if info, _ := os.Stat(b.site.EntryPath(id)); err != nil || !bytes.Equal(got, want) || info.Mode() != 0o755 {
		b.t.Errorf("%s: other bytes on the host, or mode %s: %v", id, info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(b.dir, "releases", id)); err != nil || info.Mode().Perm() != 0o755 {
		b.t.Errorf("%s: who runs it may not enter: %v, %v", id, info.Mode(), err)
	}
	return done
}

// keeps are the names in .flipdeploy that are for deltas.
func (b *bench) helpers() []string {
	found, _ := filepath.Glob(filepath.Join(b.dir, ".flipdeploy", "apply-*"))
	return found
}

func TestTheNextReleaseComesAsADelta(t *testing.T) {
	b, y, a := newBench(t), newYard(t), builds(t, 3)
	first := y.cargo(a[0])
	if done := b.ship("v0-abc", first); done != (site.Shipped{Sent: a[0].Size}) {
		t.Errorf("an empty host: %+v", done)
	}
	if err := first.Keep(); err != nil {
		t.Fatal(err)
	}
	var passed, of int64
	done, err := b.site.Ship(t.Context(), "v1-abc", y.cargo(a[1]), func(n, all int64) { passed, of = passed+n, all })
	if err != nil || done.How != "a delta to v0-abc" || done.Note != "" || passed != done.Sent || of != done.Sent {
		t.Errorf("with the program that applies it: %+v, told %d of %d: %v", done, passed, of, err)
	}
	b.put("releases/v0-abc/.flipdeploy-release", "") // not the best any more
	y.cargo(a[1]).Keep()
	if done := b.ship("v2-abc", y.cargo(a[2])); done.How != "a delta to v1-abc" || done.Sent > 2000 {
		t.Errorf("the next one: %+v", done)
	}
	if b.left() != "v0-abc v1-abc v2-abc" || len(b.helpers()) != 1 {
		t.Errorf("left %s and %s", b.left(), b.helpers())
	}
	if info, err := os.Stat(b.helpers()[0]); err != nil || info.Mode() != 0o700 {
		t.Errorf("the program that applies: %v, %v", info.Mode(), err)
	}
}

// fetches counts what is fetched from hosts.
type fetches struct {
	*remote.Machine
	n *atomic.Int64
}

func (f fetches) Fetch(ctx context.Context, script string, to io.Writer) error {
	f.n.Add(1)
	return f.Machine.Fetch(ctx, script, to)
}

func TestManyHostsShareOnePatch(t *testing.T) {
	b, y, a := newBench(t), newYard(t), builds(t, 2)
	y.o.Hosts = 4
	var n atomic.Int64
	var hosts []*site.Site
	for i := range 4 {
		dir := filepath.Join(b.sshd.Dir, "srv", fmt.Sprint("host", i))
		_ = os.Mkdir(dir, 0o755)
		s := site.New(site.Config{Path: dir, Entry: "shop"}, fetches{b.m, &n})
		if _, err := s.Stage(t.Context(), "v0-abc", a[0], nil); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, s)
	}
	c := y.cargo(a[1])
	var wg sync.WaitGroup
	for _, s := range hosts {
		wg.Go(func() {
			if done, err := s.Ship(t.Context(), "v1-abc", c, nil); err != nil || done.How != "a delta to v0-abc" {
				t.Errorf("%+v, %v", done, err)
			}
		})
	}
	wg.Wait()
	if n.Load() != 1 {
		t.Errorf("the old bytes were fetched %d times", n.Load())
	}
	if _, err := os.Stat(filepath.Join(y.o.Cache.Dir, a[0].SHA256)); err != nil {
		t.Error("what was fetched was not kept")
	}
}

// asked tells how long a fetch may take, and gives nothing.
type asked struct {
	*remote.Machine
	patience *time.Duration
}

func (a asked) Fetch(ctx context.Context, _ string, _ io.Writer) error {
	end, _ := ctx.Deadline()
	*a.patience = time.Until(end)
	return errors.New("nothing came")
}

func TestAHostThatGivesItsOldBytesTooSlowlyHoldsNobodyUp(t *testing.T) {
	b, y, a := newBench(t), newYard(t), builds(t, 2)
	y.o.Hosts = 4
	b.ship("v0-abc", y.cargo(a[0]))
	var patience time.Duration
	b.site = site.New(site.Config{Path: b.dir, Entry: "shop"}, asked{b.m, &patience})
	done := b.ship("v1-abc", y.cargo(a[1]))
	if done.How != "" || done.Note != "no delta: fetch v0-abc: nothing came" {
		t.Errorf("%+v", done)
	}
	if whole := time.Duration(4 * a[1].Size * int64(time.Second) / slow); patience > whole || patience < whole-5*time.Second {
		t.Errorf("waits for %s, all of it takes %s", patience, whole)
	}
}

// once does something to the first payload that goes out.
type once struct {
	*remote.Machine
	do func(io.Reader) io.Reader
	n  *atomic.Int64
}

func (o once) Stream(ctx context.Context, script string, r io.Reader) ([]byte, error) {
	if o.n.Add(1) == 1 {
		r = o.do(r)
	}
	return o.Machine.Stream(ctx, script, r)
}

func TestADeltaThatDoesNotWorkOutIsGivenUpForThePlainWay(t *testing.T) {
	for name, c := range map[string]struct {
		before func(b *bench)
		during func(io.Reader) io.Reader
		want   string
	}{
		"the patch changed on the way": {nil, func(r io.Reader) io.Reader { return flipped{r} },
			"a delta to v0-abc did not work out: apply the delta: the patch is damaged: "},
		"the old program changed": {func(b *bench) { b.put("releases/v0-abc/shop", strings.Repeat("x", int(size(b, "v0-abc")))) }, nil,
			"a delta to v0-abc did not work out: apply the delta: the old file's sha256 is "},
		"the program that applies changed": {func(b *bench) {
			b.put(".flipdeploy/"+filepath.Base(b.helpers()[0]), "#!/bin/sh\ntouch "+b.dir+"/run\n")
		}, nil,
			"a delta to v0-abc did not work out: apply the delta: the program that applies it has another sha256"},
		"the upload ended early": {nil, func(r io.Reader) io.Reader { return io.LimitReader(r, 10) },
			"a delta to v0-abc did not work out: the upload was cut short: 10 of "},
	} {
		t.Run(name, func(t *testing.T) {
			b, y, a := newBench(t), newYard(t), builds(t, 3)
			for i, first := range a[:2] {
				b.ship(fmt.Sprintf("v%d-abc", i), y.cargo(first))
				_ = y.cargo(first).Keep()
			}
			if len(b.helpers()) != 1 {
				t.Fatal("no program that applies")
			}
			_ = os.RemoveAll(filepath.Join(b.dir, "releases", "v1-abc"))
			if c.before != nil {
				c.before(b)
			}
			if c.during == nil {
				c.during = func(r io.Reader) io.Reader { return r }
			}
			b.site = site.New(site.Config{Path: b.dir, Entry: "shop"}, once{b.m, c.during, new(atomic.Int64)})
			done := b.ship("v2-abc", y.cargo(a[2]))
			if done.How != "" || done.Sent < a[2].Size || !strings.HasPrefix(done.Note, c.want) {
				t.Errorf("%+v\nwant %s", done, c.want)
			}
			if b.left() != "v0-abc v2-abc" {
				t.Errorf("left %s", b.left())
			}
			if _, err := os.Stat(b.dir + "/run"); err == nil {
				t.Error("another program was run")
			}
		})
	}
}

func TestADeltaIsGivenUpWithTheProgramThatComesAlong(t *testing.T) {
	for name, c := range map[string]struct {
		helper string // "": flipdeploy's own
		during func(io.Reader) io.Reader
		want   string
	}{
		"the upload ended early": {"", func(r io.Reader) io.Reader { return io.LimitReader(r, 10) }, "the upload was cut short: 10 of "},
		"a program that only says it is done": {remotetest.Need(t, "true"), func(r io.Reader) io.Reader { return r },
			"apply the delta: the program that applies it did not say what it made"},
	} {
		t.Run(name, func(t *testing.T) {
			b, y, a := newBench(t), newYard(t), builds(t, 2)
			b.ship("v0-abc", y.cargo(a[0]))
			_ = y.cargo(a[0]).Keep()
			if c.helper != "" {
				y.o.Helper = c.helper
			}
			b.site = site.New(site.Config{Path: b.dir, Entry: "shop"}, once{b.m, c.during, new(atomic.Int64)})
			if done := b.ship("v1-abc", y.cargo(a[1])); done.How != "" || !strings.HasPrefix(done.Note, "a delta to v0-abc did not work out: "+c.want) {
				t.Errorf("%+v\nwant %s", done, c.want)
			}
		})
	}
}

// A busybox's cp, as Alpine has it, puts another file in the place of one that is there.
func TestACopyHasTheModeOfARelease(t *testing.T) {
	real := remotetest.Need(t, "cp")
	b, y, a := benchOn(t, remotetest.Start(t, with(t, "cp", `rm -f -- "$3"; exec `+real+` -p "$@"`))), newYard(t), builds(t, 1)
	b.ship("v0-abc", y.cargo(a[0]))
	for i, mode := range []os.FileMode{0o700, 0o755 | os.ModeSetuid, 0o600} {
		if err := os.Chmod(b.site.EntryPath("v0-abc"), mode); err != nil {
			t.Fatal(err)
		}
		if done := b.ship(fmt.Sprintf("again%d-abc", i), y.cargo(a[0])); !strings.HasPrefix(done.How, "a copy of ") || done.Note != "" {
			t.Errorf("%+v", done)
		}
	}
}

func size(b *bench, id string) int64 {
	info, err := os.Stat(b.site.EntryPath(id))
	if err != nil {
		b.t.Fatal(err)
	}
	return info.Size()
}

func TestAPlantedProgramIsNeitherRunNorFollowed(t *testing.T) {
	b, y, a := newBench(t), newYard(t), builds(t, 3)
	for i, first := range a[:2] {
		b.ship(fmt.Sprintf("v%d-abc", i), y.cargo(first))
		_ = y.cargo(first).Keep()
	}
	victim := b.put("../victim", "untouched")
	name := b.helpers()[0]
	_ = os.Remove(name)
	if err := os.Symlink(victim, name); err != nil {
		t.Fatal(err)
	}
	if done := b.ship("v2-abc", y.cargo(a[2])); !strings.HasPrefix(done.How, "a delta to v") {
		t.Errorf("%+v", done)
	}
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link is still there: %v, %v", info.Mode(), err)
	}
	if text, _ := os.ReadFile(victim); string(text) != "untouched" {
		t.Error("the link was followed")
	}
}

func TestWhatIsThereUnderAnotherNameIsNotSent(t *testing.T) {
	b, y, a := newBench(t), newYard(t), builds(t, 1)
	b.ship("v0-abc", y.cargo(a[0]))
	if done := b.ship("again-abc", y.cargo(a[0])); done != (site.Shipped{How: "a copy of v0-abc"}) {
		t.Errorf("%+v", done)
	}
	b.put("releases/v0-abc/shop", "damaged")
	_ = os.RemoveAll(filepath.Join(b.dir, "releases", "again-abc"))
	done := b.ship("again-abc", y.cargo(a[0]))
	if done.Note != "a copy of v0-abc did not work out: the upload was cut short: 7 of "+fmt.Sprint(a[0].Size)+" bytes came" {
		t.Errorf("%+v", done)
	}
}

func TestWhatPacksWellIsSentPacked(t *testing.T) {
	b, y := newBench(t), newYard(t)
	p := filepath.Join(t.TempDir(), "shop")
	text := make([]byte, 6<<20)
	for i := range text {
		text[i] = byte(rand.Intn(4))
	}
	_ = os.WriteFile(p, text, 0o755)
	a := open(t, p, "")
	done := b.ship("v0-abc", y.cargo(a))
	if !strings.HasPrefix(done.How, "packed with ") || done.Sent > a.Size/2 || done.Note != "" {
		t.Errorf("%+v", done)
	}
	y.o.Speed = 1 << 40
	if done := b.ship("v1-abc", y.cargo(artifact(t, 6<<20))); done.How != "" {
		t.Errorf("over a fast link: %+v", done)
	}
}

// A limit on the file's size stops it, whichever shell counts that in what.
func TestWhatUnpacksWithoutEndIsStopped(t *testing.T) {
	b, y := benchOn(t, remotetest.Start(t, with(t, "zstd", "exec yes"))), newYard(t)
	done := b.ship("v0-abc", y.cargo(halves(t, 3<<20)))
	if !strings.HasPrefix(done.Note, "packed with zstd did not work out: ") || !strings.HasSuffix(done.Note, "File too large") || b.left() != "v0-abc" {
		t.Errorf("%+v, left %s", done, b.left())
	}
}

func TestWhyThereIsNoDeltaIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		change func(y *yard)
		want   string
	}{
		"no program of our own": {func(y *yard) { y.o.Helper = "" }, "no delta: this flipdeploy does not know its own file"},
		"another system":        {func(y *yard) { y.o.Helper = y.file("\xcf\xfa\xed\xfe") }, "no delta: this flipdeploy is no program for Linux, but for linux"},
		"another machine":       {func(y *yard) { y.o.Helper = y.file(foreign(y.t)) }, "no delta: this flipdeploy is a program for Linux on s390x, the host is Linux on "},
		"nothing cached":        {func(y *yard) { y.o.Cache = nil }, "no delta: the program of v0-abc is not in the cache"},
		"a fast link":           {func(y *yard) { y.o.Speed = 1 << 40 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, y, a := newBench(t), newYard(t), builds(t, 2)
			b.ship("v0-abc", y.cargo(a[0]))
			_ = y.cargo(a[0]).Keep()
			c.change(y)
			done := b.ship("v1-abc", y.cargo(a[1]))
			if done.How != "" || !strings.HasPrefix(done.Note, c.want) || (c.want == "") != (done.Note == "") || len(b.helpers()) != 0 {
				t.Errorf("%+v\nwant %s", done, c.want)
			}
		})
	}
}

func (y *yard) file(text string) string {
	p := filepath.Join(y.t.TempDir(), "own")
	if err := os.WriteFile(p, []byte(text), 0o755); err != nil {
		y.t.Fatal(err)
	}
	return p
}

// foreign is a program for a machine that is not here.
func foreign(t *testing.T) string {
	name, err := own()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text[18], text[19] = 22, 0 // e_machine: S/390
	return string(text)
}

func TestAReleaseWithNothingAlikeIsSentWhole(t *testing.T) {
	b, y := newBench(t), newYard(t)
	first := artifact(t, 6<<20)
	b.ship("v0-abc", y.cargo(first))
	_ = y.cargo(first).Keep()
	p := filepath.Join(t.TempDir(), "shop")
	other := make([]byte, 6<<20)
	rand.New(rand.NewSource(2)).Read(other)
	_ = os.WriteFile(p, other, 0o755)
	if done := b.ship("v1-abc", y.cargo(open(t, p, ""))); done.How != "" || done.Note != "no delta: it would be 100 % of the whole" {
		t.Errorf("%+v", done)
	}
}
