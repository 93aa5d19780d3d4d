package site_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// onBusybox is a host of Alpine's kind: every program is busybox.
func onBusybox(t *testing.T) *bench {
	box, bin := remotetest.Need(t, "busybox"), t.TempDir()
	if out, err := exec.Command(box, "--install", "-s", bin).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(bin, "flock")); err != nil { // Debian's busybox is built without
		_ = os.Symlink(remotetest.Need(t, "flock"), filepath.Join(bin, "flock"))
	}
	return benchOn(t, remotetest.Start(t, "ForceCommand PATH="+bin+"; export PATH; exec "+bin+"/sh -s"))
}

func TestBusyboxWillDo(t *testing.T) {
	b := onBusybox(t)
	_ = os.MkdirAll(filepath.Join(b.dir, "bin"), 0o755)
	b.site = b.at(site.Config{Install: site.Replace, Binary: "bin/shop", Epoch: 3, Keep: 1})
	if err := b.site.Fence(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	found := b.adopt(b.site, runs(t, b.put("bin/shop", "found")))
	b.stage("v1-abc", artifact(t, 1<<20))
	b.stage("v2-abc", open(t, tree(t), "shop"))
	b.flips(b.site, "v1-abc", found.ID)
	b.want("bin/shop", "found")
	b.want("current", "none")
	b.flips(b.site, "v1-abc", "v2-abc")
	hour := time.Now().Add(-time.Hour) // its ls orders by whole seconds
	for _, id := range []string{"v1-abc", found.ID} {
		_ = os.Chtimes(filepath.Join(b.dir, "releases", id, ".flipdeploy-release"), hour, hour)
	}
	if err := b.site.Prune(t.Context(), nil); err != nil || b.left() != "v2-abc" {
		t.Errorf("left %s, %v", b.left(), err)
	}
	f, err := b.site.Observe(t.Context())
	if err != nil || f.Current != "v2-abc" || f.FreeBytes <= 0 || len(f.Foreign) > 0 || len(f.Tools) != 6 || f.Fence != 3 {
		t.Errorf("observed %+v, %v", f, err)
	}
	if err := b.site.WithEpoch(2).Flip(t.Context(), "v2-abc"); code(err) != "FD-FENCED" {
		t.Errorf("got %v", err)
	}
	if err := b.site.Flip(t.Context(), ""); err != nil {
		t.Error(err)
	}
}
