package state

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPrepareMakesWhatIsMissingAndMayBeRepeated(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		dir := filepath.Join(t.TempDir(), "var", "flipdeploy")
		for range 2 {
			s := m.store(t, dir, "shop")
			equal(t, s.Name(), "edge1")
		}
		for _, f := range []string{"act.lock", "shop/lease", "shop/own", "shop/journal"} {
			equal(t, exists(filepath.Join(dir, f)), true)
		}
	})
}

func TestPrepareRefusesADirectoryThatEverybodyMayWrite(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		dir := t.TempDir()
		ok(t, os.Chmod(dir, 0o777))
		err := New("edge1", dir, "shop", m, m, false).Prepare(t.Context())
		says(t, err, "edge1: state: prepare: "+dir+" is writable for everybody", "FD-STATE-DIR", "run on edge1: sudo chmod o-w "+dir)
	})
}

func TestPrepareTellsTheCommandThatMakesTheDirectory(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		for _, sudo := range []bool{false, true} {
			err := New("edge1", "/proc/flipdeploy", "shop", m, m, sudo).Prepare(t.Context())
			says(t, err, "edge1: state: prepare: /proc/flipdeploy does not exist", "FD-STATE-DIR",
				"run on edge1: sudo install -d -m 0755 -o root /proc/flipdeploy")
		}
	})
}

func TestPrepareMakesTheDirectoryThroughSudo(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		base := t.TempDir()
		log, dir := filepath.Join(base, "log"), filepath.Join(base, "flip", "deploy")
		write(t, filepath.Join(base, "flip"), "a file: mkdir -p as ourselves cannot work\n")
		ok(t, os.WriteFile(filepath.Join(m.path, "sudo"), []byte("#!/bin/sh\nprintf '%s\\n' \"$*\" >"+log+"\nrm "+base+"/flip; mkdir -p "+dir+"\n"), 0o755))
		ok(t, New("edge1", dir, "shop", m, m, true).Prepare(t.Context()))
		equal(t, read(t, log), "-n install -d -m 0755 -o root "+dir+"\n")
	})
}

func TestPrepareNamesMissingTools(t *testing.T) {
	m := &machine{path: t.TempDir(), only: true}
	ok(t, os.Symlink(need(t, "dash"), filepath.Join(m.path, "sh")))
	for _, tool := range []string{"timeout", "head", "tail", "sync", "sort", "wc", "grep", "mv"} {
		ok(t, os.Symlink(need(t, tool), filepath.Join(m.path, tool)))
	}
	err := New("edge1", t.TempDir(), "shop", m, m, false).Prepare(t.Context())
	says(t, err, "edge1: state: prepare: missing there: flock awk", "FD-STATE-TOOLS", "install what brings flock awk on edge1")
}

func TestNamesThatAShellCouldMisreadAreRefusedBeforeAnythingRuns(t *testing.T) {
	for _, dir := range []string{"", "var", "/var/../etc", "/var/lib/", "/var lib", "/var/$(id)", "/var/'x", "/var/-rf", "/a\nb"} {
		err := New("edge1", dir, "shop", nil, nil, false).Prepare(t.Context())
		if err == nil {
			t.Errorf("state.dir %q was taken", dir)
		}
	}
	for _, app := range []string{"", "-rf", "Shop", "a b", "a/b", "..", "a;touch x", "a\nb", "$(id)", "a'b"} {
		if New("edge1", "/var/lib/flipdeploy", app, nil, nil, false).Prepare(t.Context()) == nil {
			t.Errorf("app %q was taken", app)
		}
	}
	err := New("edge1", "/var/lib/flipdeploy", "a b", nil, nil, false).Prepare(t.Context())
	says(t, err, `edge1: state: prepare: app "a b": not allowed`, "FD-STATE-NAME", "correct the name in the inventory")
	_, _, err = Acquire(t.Context(), []*Store{New("edge1", "/x", "a b", nil, nil, false)}, Holder{})
	says(t, err, `edge1: state: lock: app "a b": not allowed`, "FD-STATE-NAME", "correct the name in the inventory")
}

func TestKeyFilesAreReadBackAsTheyWere(t *testing.T) {
	for addr, file := range map[string]string{
		"10.0.0.1:80":      "shop@10.0.0.1:80",
		"[fe80::1%eth0]:8": "shop@%5Bfe80::1%25eth0%5D:8",
		"unix:/run/a.sock": "shop@unix:%2Frun%2Fa.sock",
		"web1.local:8080":  "shop@web1.local:8080",
	} {
		k := Key{"shop", addr}
		ok(t, k.check())
		equal(t, k.file(), file)
		equal(t, keyOf(k.file()), k)
	}
	for _, k := range []Key{{"", "a:1"}, {"a b", "a:1"}, {"-a", "a:1"}, {"a@b", "a:1"}, {"a*", "a:1"}, {"../x", "a:1"}, {"a", ""}, {"a", "-x"}, {"a", "a b"}, {"a", "a;b"}, {"a", "*"}, {"a", "$x"}, {"a", "a\n"}} {
		if k.check() == nil {
			t.Errorf("%q was taken", k)
		}
	}
}
