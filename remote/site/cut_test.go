package site_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// cuts is how many uploads are cut: SITE_CUTS, else one of each way. SITE_WAY names the only
// way.
func cuts(ways int) int {
	if n, err := strconv.Atoi(os.Getenv("SITE_CUTS")); err == nil {
		return n
	}
	return ways
}

// A cutWay is a way to a host, all of which may be cut.
type cutWay struct {
	name, how string // how begins so
	a         *site.Artifact
	o         site.CargoOptions
	entry     string // sha256 of the program that the release has to have
	fresh     bool   // the program that applies comes along
	from      *depot // hosts fetch it there

	reach      int64 // bytes that a run sends at most
	cut, whole int
}

// TestCutAtAnyByteNothingIsHalf cuts the cable at a random byte of every way. What was
// left is whole or not there, and the next run cleans up and ends the work.
func TestCutAtAnyByteNothingIsHalf(t *testing.T) {
	b, y := newBench(t), newYard(t)
	cable := remotetest.Plug(t, b.sshd.HostPort())
	b.sshd.TrustAt(t, cable.Addr)
	ways := slices.DeleteFunc(b.ways(y), func(w *cutWay) bool { only := os.Getenv("SITE_WAY"); return only != "" && w.name != only })
	seed := rand.Int63()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	for i := range cuts(len(ways)) {
		w := ways[i%len(ways)]
		if i < len(ways) {
			b.learn(w)
		}
		b.cutOnce(cable, int64(i+1), w, r)
	}
	sum := 0
	for _, w := range ways {
		n := w.cut + w.whole
		sum += n
		t.Logf("%-20s %3d runs, %d ended by the cut, %d whole before it", w.name, n, w.cut, w.whole)
		if n >= 10 && w.cut < n/2 {
			t.Errorf("%s: the cable was cut behind the work", w.name)
		}
	}
	if sum != cuts(len(ways)) {
		t.Errorf("%d runs, want %d", sum, cuts(len(ways)))
	}
}

// ways are all that there are, to a host that has one release.
func (b *bench) ways(y *yard) []*cutWay {
	t, a := b.t, builds(b.t, 2)
	first := y.cargo(a[0])
	b.ship("v0-abc", first)
	if err := first.Keep(); err != nil {
		t.Fatal(err)
	}
	options := func(change func(*site.CargoOptions)) site.CargoOptions {
		o := y.o
		change(&o)
		return o
	}
	whole := options(func(o *site.CargoOptions) { o.Whole = true })
	packed := options(func(o *site.CargoOptions) { o.Helper = "" })
	const away = 5 * time.Second
	small, large := halves(t, 3<<20), halves(t, 33<<20)
	dir, program := folder(t)
	ways := []*cutWay{
		{name: "plain", a: a[1], o: whole},
		{name: "delta and helper", how: "a delta to v0-abc", a: a[1], o: y.o, fresh: true},
		{name: "delta", how: "a delta to v0-abc", a: a[1], o: y.o},
		{name: "packed", how: "packed with ", a: small, o: packed},
		{name: "archive", a: dir, o: whole, entry: program},
		fetching(t, artifact(t, 8<<20), y.o),
		{name: "plain in channels", how: "4 channels", a: artifact(t, 16<<20),
			o: options(func(o *site.CargoOptions) { o.Speed, o.RoundTrip = 1<<40, away })},
		{name: "packed in channels", how: "packed with ", a: large,
			o: options(func(o *site.CargoOptions) { o.Helper, o.RoundTrip = "", away })},
	}
	for _, w := range ways {
		if w.entry == "" {
			w.entry = w.a.SHA256
		}
	}
	return ways
}

// halves is a program that packs to the half.
func halves(t *testing.T, size int) *site.Artifact {
	text := randomBytes(size)
	for i := range text {
		if i>>12&1 == 0 {
			text[i] = 0
		}
	}
	p := filepath.Join(t.TempDir(), "shop")
	if err := os.WriteFile(p, append([]byte("#!/bin/sh\nexit 0\n"), text...), 0o755); err != nil {
		t.Fatal(err)
	}
	return open(t, p, "")
}

// folder is a directory as an artifact, and the sha256 of its program.
func folder(t *testing.T) (*site.Artifact, string) {
	dir, text := t.TempDir(), append([]byte("#!/bin/sh\nexit 0\n"), randomBytes(1<<20)...)
	for name, data := range map[string][]byte{"shop": text, "data": randomBytes(2 << 20)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, dir, "shop"), fmt.Sprintf("%x", sha256.Sum256(text))
}

// fetching is the way from a depot without TLS, as in the own network.
func fetching(t *testing.T, a *site.Artifact, o site.CargoOptions) *cutWay {
	remotetest.Need(t, "curl")
	d := newDepot(t)
	plain := httptest.NewServer(d.Config.Handler)
	t.Cleanup(plain.Close)
	d.to = plain.URL
	return &cutWay{name: "fetched", how: "fetched by the host", a: d.fetched(a), o: o, from: d}
}

// cutAt has the origin cut the cable once so many bytes are on their way to the host.
func (d *depot) cutAt(n int64, cable *remotetest.Cable) {
	var once sync.Once
	d.answer(func(w http.ResponseWriter, r *http.Request) {
		text := d.file()
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = w.Write(text[:n])
		once.Do(cable.Cut)
		_, _ = w.Write(text[n:])
	})
}

// learn goes the way once, to see that it is this one, and how many bytes it takes.
func (b *bench) learn(w *cutWay) {
	b.t.Helper()
	b.bare(w)
	done := b.end(w)
	wide := strings.Contains(w.name, "channels")
	if !strings.HasPrefix(done.How, w.how) || (w.how == "") != (done.How == "") || wide != strings.HasSuffix(done.How, "4 channels") {
		b.t.Fatalf("%s: %+v", w.name, done)
	}
	w.reach = done.Sent + 15_000 // and the scripts
}

// bare takes away what a run of the way brings.
func (b *bench) bare(w *cutWay) {
	if err := os.RemoveAll(filepath.Join(b.dir, "releases", "v1-abc")); err != nil {
		b.t.Fatal(err)
	}
	for _, name := range b.helpers() {
		if w.fresh {
			_ = os.Remove(name)
		}
	}
}

// end is a run that nothing hinders, after which all is well.
func (b *bench) end(w *cutWay) site.Shipped {
	b.t.Helper()
	cargo := site.NewCargo(w.a, w.o)
	defer cargo.Close()
	done, err := b.site.Ship(b.t.Context(), "v1-abc", cargo, nil)
	if err != nil {
		b.t.Fatalf("%s: %v", w.name, err)
	}
	b.nothingIsHalf(w)
	await(b.t, "temps to be gone", func() bool { return b.left() == "v0-abc v1-abc" })
	if n := len(b.helpers()); n > 1 {
		b.t.Errorf("%d programs that apply", n)
	}
	return done
}

// cutOnce is a run that is cut, and the next one.
func (b *bench) cutOnce(cable *remotetest.Cable, epoch int64, w *cutWay, r *rand.Rand) {
	t := b.t
	t.Helper()
	b.bare(w)
	c := b.sshd.Config()
	c.Port = cable.Port()
	c.ConnectTimeout = 20 * time.Second
	s := site.New(site.Config{Path: b.dir, Entry: "shop", Keep: 2, Epoch: 2 * epoch}, remotetest.Machine(t, c))
	if err := s.Fence(t.Context(), 2*epoch); err != nil {
		t.Fatal(err)
	}
	cargo := site.NewCargo(w.a, w.o)
	defer cargo.Close()
	if w.from != nil && r.Intn(4) > 0 {
		w.from.cutAt(r.Int63n(w.a.Size), cable)
	} else {
		cable.CutAfter(r.Int63n(w.reach) + 1)
	}
	_, err := s.Ship(t.Context(), "v1-abc", cargo, nil)
	cable.CutAfter(1 << 40)
	b.nothingIsHalf(w)
	if err != nil {
		w.cut++
	} else {
		w.whole++
	}
	b.site = b.at(site.Config{Epoch: 2*epoch + 1})
	if err := b.site.Fence(t.Context(), 2*epoch+1); err != nil {
		t.Fatal(err)
	}
	b.end(w)
}

// nothingIsHalf: a release that has its name is whole, and there is one temp at most.
func (b *bench) nothingIsHalf(w *cutWay) {
	b.t.Helper()
	temps := strings.Count(" "+b.left(), " .stage-")
	if temps > 1 {
		b.t.Errorf("%s: left %s", w.name, b.left())
	}
	names := strings.Fields(b.left())
	if !slices.Contains(names, "v1-abc") {
		return
	}
	text, err := os.ReadFile(b.site.EntryPath("v1-abc"))
	if got := fmt.Sprintf("%x", sha256.Sum256(text)); err != nil || got != w.entry {
		b.t.Errorf("%s: half a release: %d bytes of %d, %v", w.name, len(text), w.a.Size, err)
	}
}
