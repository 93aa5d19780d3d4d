package site_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// With busybox, head takes more from a pipe than it gives.
func TestADeltaComesToAHostOfBusybox(t *testing.T) {
	b, y, a := onBusybox(t), newYard(t), builds(t, 2)
	b.ship("v0-abc", y.cargo(a[0]))
	_ = y.cargo(a[0]).Keep()
	if done := b.ship("v1-abc", y.cargo(a[1])); done.How != "a delta to v0-abc" || done.Note != "" || len(b.helpers()) != 1 {
		t.Errorf("%+v, and %s", done, b.helpers())
	}
}

func TestAProgramThatWasDamagedIsBroughtAnew(t *testing.T) {
	b, y, a := newBench(t), newYard(t), builds(t, 4)
	for i, next := range a[:3] {
		if i == 2 {
			b.put(".flipdeploy/"+filepath.Base(b.helpers()[0]), "torn")
		}
		b.ship(fmt.Sprintf("v%d-abc", i), y.cargo(next))
		_ = y.cargo(next).Keep()
	}
	if done := b.ship("v3-abc", y.cargo(a[3])); !strings.HasPrefix(done.How, "a delta to v") || done.Note != "" {
		t.Errorf("%+v", done)
	}
}

// Whoever owns a directory may exchange what is in it, also below root's feet.
func TestDirectoriesOfOthersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		remotetest.Lacking(t, "right to give a directory away")
	}
	for _, name := range []string{".", "releases", ".flipdeploy"} {
		b := newBench(t)
		p := filepath.Join(b.dir, name)
		_ = os.MkdirAll(p, 0o755)
		if err := os.Chown(p, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		_, err := b.site.Stage(t.Context(), "v1-abc", artifact(t, 10), nil)
		if want := p + " belongs to somebody else than " + b.sshd.User; code(err) != "FD-APP-PATH" || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNobodyElseCanHoldTheLock(t *testing.T) {
	b := newBench(t)
	if err := b.site.Fence(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(b.dir, ".flipdeploy", "act.lock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// strict is a host where being root opens no door.
func strict(t *testing.T) *bench {
	if os.Getuid() != 0 {
		return newBench(t)
	}
	drop := remotetest.Need(t, "setpriv") + " --bounding-set=-dac_override,-dac_read_search"
	return benchOn(t, remotetest.Start(t, "ForceCommand exec "+drop+" /bin/sh -s"))
}

// Archives may bring directories that nothing may be removed from.
func TestReleasesWithLockedDirectoriesAreRemoved(t *testing.T) {
	b := strict(t)
	for i := range 4 {
		id := fmt.Sprintf("v%d-abc", i)
		b.stage(id, artifact(t, 10))
		b.put("releases/"+id+"/locked/file", "text")
		locked := filepath.Join(b.dir, "releases", id, "locked")
		if err := os.Chmod(locked, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(locked, 0o755) })
	}
	if err := b.site.Prune(t.Context(), nil); err != nil || len(strings.Fields(b.left())) != 2 {
		t.Errorf("left %s: %v", b.left(), err)
	}
}
