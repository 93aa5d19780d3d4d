package site_test

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// cuts is how many uploads are cut: SITE_CUTS, else a few.
func cuts() int {
	if n, err := strconv.Atoi(os.Getenv("SITE_CUTS")); err == nil {
		return n
	}
	return 6
}

// TestCutAtAnyByteNothingIsHalf cuts the cable at a random byte of every way. What was
// left is whole or not there, and the next run cleans up and ends the work.
func TestCutAtAnyByteNothingIsHalf(t *testing.T) {
	b, y, a := newBench(t), newYard(t), builds(t, 2)
	cable := remotetest.Plug(t, b.sshd.HostPort())
	b.sshd.TrustAt(t, cable.Addr)
	first := y.cargo(a[0])
	b.ship("v0-abc", first)
	if err := first.Keep(); err != nil {
		t.Fatal(err)
	}
	seed := rand.Int63()
	t.Logf("seed %d", seed)
	r, whole := rand.New(rand.NewSource(seed)), map[string]int{}
	for i := range cuts() {
		o := y.o
		if i%3 == 0 {
			o.Whole = true // the plain way
		}
		if i%3 == 1 { // the program that applies comes along
			for _, name := range b.helpers() {
				_ = os.Remove(name)
			}
		}
		whole[b.cutOnce(cable, int64(i+1), a[1], o, r)]++
	}
	t.Logf("cut at: %v", whole)
}

// cutOnce is a run that is cut, and the next one. It says how far the first came.
func (b *bench) cutOnce(cable *remotetest.Cable, epoch int64, a *site.Artifact, o site.CargoOptions, r *rand.Rand) string {
	t := b.t
	t.Helper()
	c := b.sshd.Config()
	c.Port = cable.Port()
	s := site.New(site.Config{Path: b.dir, Entry: "shop", Keep: 2, Epoch: 2 * epoch}, remotetest.Machine(t, c))
	if err := s.Fence(t.Context(), 2*epoch); err != nil {
		t.Fatal(err)
	}
	reach := 20_000 // a delta with its scripts
	if o.Whole {
		reach = int(a.Size) + 20_000
	} else if len(b.helpers()) == 0 {
		reach = 1_200_000
	}
	cargo := site.NewCargo(a, o)
	defer cargo.Close()
	cable.CutAfter(r.Int63n(int64(reach)) + 1)
	_, err := s.Ship(t.Context(), "v1-abc", cargo, nil)
	cable.CutAfter(1 << 40)
	b.nothingIsHalf(a)
	came := "whole"
	if err != nil {
		came = "cut"
	}
	b.site = b.at(site.Config{Epoch: 2*epoch + 1})
	if err := b.site.Fence(t.Context(), 2*epoch+1); err != nil {
		t.Fatal(err)
	}
	b.ship("v1-abc", cargo)
	await(t, "temps to be gone", func() bool { return b.left() == "v0-abc v1-abc" })
	if n := len(b.helpers()); n > 1 {
		t.Errorf("%d programs that apply", n)
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "releases", "v1-abc")); err != nil {
		t.Fatal(err)
	}
	return came
}

// nothingIsHalf: a release that has its name is whole, and there is one temp at most.
func (b *bench) nothingIsHalf(a *site.Artifact) {
	b.t.Helper()
	temps := 0
	for _, name := range strings.Fields(b.left()) {
		if strings.HasPrefix(name, ".stage-") {
			temps++
		}
	}
	if temps > 1 {
		b.t.Errorf("left %s", b.left())
	}
	text, err := os.ReadFile(b.site.EntryPath("v1-abc"))
	if os.IsNotExist(err) {
		return
	}
	if want := fmt.Sprint(a.Size); err != nil || fmt.Sprint(len(text)) != want {
		b.t.Errorf("half a release: %d bytes of %s, %v", len(text), want, err)
	}
}
