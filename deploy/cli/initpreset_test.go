package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

func TestAProgramsLibraryIsItsPreset(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "shop")
	build := exec.Command("go", "build", "-o", program, "./shop")
	build.Dir = "../../testdata/apps"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d := emptyDraft()
	if err := d.propose(program); err != nil || d.preset != "tableflip" ||
		d.why != program+" has github.com/cloudflare/tableflip; give it a pid_file; a unit needs PIDFile= or Type=notify with NotifyAccess=all" {
		t.Errorf("preset %q, why %q: %v", d.preset, d.why, err)
	}
	self, _ := os.Executable()
	d = emptyDraft()
	want := self + " has no library that hands over to a new process: a host is restarted while it is out of rotation"
	if err := d.propose(self); err != nil || d.preset != "" || !slices.Equal(d.notes, []string{want}) {
		t.Errorf("preset %q, notes %q: %v", d.preset, d.notes, err)
	}
	script := filepath.Join(dir, "script")
	_ = os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755)
	err := emptyDraft().propose(script)
	if deploy.CodeOf(err) != "FD-INIT-FILE" || deploy.HintOf(err) != "give a Go program, or leave it out" {
		t.Errorf("%v [%s]", err, deploy.CodeOf(err))
	}
}
