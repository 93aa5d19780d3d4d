package site_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A failing is a host whose sync fails for what has some text in its arguments.
type failing struct {
	*bench
	text, words, bare string // files: of which, with what words; there once all was synced
}

func failingHost(t *testing.T) failing {
	dir := t.TempDir()
	f := failing{text: dir + "/text", words: dir + "/words", bare: dir + "/bare"}
	f.bench = benchOn(t, remotetest.Start(t, with(t, "sync", strings.NewReplacer("TEXT", f.text, "WORDS", f.words, "BARE", f.bare).Replace(
		`[ $# -gt 0 ] || : >BARE
[ -e TEXT ] && IFS= read -r text <TEXT || exit 0
case " $* " in *"$text"*) [ $# = 0 ] || { cat WORDS >&2; exit 1; } ;; esac`))))
	return f
}

// fail has sync say so of what has text in its name.
func (f failing) fail(text, says string) {
	f.t.Helper()
	for name, data := range map[string]string{f.text: text, f.words: says} {
		if err := os.WriteFile(name, []byte(data+"\n"), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
}

// acts are all that has to be on a host's disk, and of each the parts.
func (f failing) acts() map[string]act {
	t, file := f.t, artifact(f.t, 10)
	dir := open(t, archive(t, &tar.Header{Name: "shop", Mode: 0o755}), "shop")
	here := f.put("found", "#!/bin/sh\nexit 0\n")
	f.stage("v1-abc", file)
	replacing := f.at(site.Config{Install: site.Replace, Binary: "bin/shop"})
	return map[string]act{
		"stage a file":       {[]string{"/release/shop", "/.flipdeploy-release", "/release ", " releases "}, func() error { _, err := f.site.Stage(t.Context(), "v2-abc", file, nil); return err }},
		"stage an archive":   {[]string{" -f ", " releases "}, func() error { _, err := f.site.Stage(t.Context(), "v3-abc", dir, nil); return err }},
		"keep what is found": {[]string{" -f ", " releases "}, func() error { p, _ := f.site.Find(t.Context(), runs(t, here)); return f.site.Adopt(t.Context(), p) }},
		"flip":               {[]string{" . "}, func() error { return f.site.Flip(t.Context(), "v1-abc") }},
		"replace": {[]string{" bin "}, func() error {
			_ = os.RemoveAll(f.dir + "/bin")
			f.put("bin/other", "")
			return replacing.Flip(t.Context(), "v1-abc")
		}},
		"fence": {[]string{"/fence.", " .flipdeploy "}, func() error { return f.site.Fence(t.Context(), 5) }},
		"turn":  {[]string{"/turn.", " .flipdeploy "}, func() error { return f.site.WithEpoch(5).Turn(t.Context(), 5, 1) }},
	}
}

var inTurn = []string{"stage a file", "stage an archive", "keep what is found", "replace", "flip", "fence", "turn"}

type act struct {
	parts []string
	do    func() error
}

// A disk takes what is written, and may fail when it is told to keep it: then and the next time.
func TestADiskThatFailsIsSaid(t *testing.T) {
	f := failingHost(t)
	const says = "sync: error syncing 'x': Input/output error"
	acts := f.acts()
	for _, name := range inTurn {
		act := acts[name]
		for _, part := range act.parts {
			f.fail(part, "sync: error opening 'y': Permission denied\n"+says+"\nsync: and so on")
			for range 2 {
				if err := act.do(); code(err) != "FD-DISK" || err.Error() != "the host's disk did not take what was written: "+says {
					t.Errorf("%s, %s: got %v", name, part, err)
				}
			}
		}
	}
	if _, err := os.Stat(f.bare); err == nil {
		t.Error("a sync of all hid what one of the files said")
	}
	if left, _ := filepath.Glob(f.dir + "/*/.stage-*"); len(left) > 0 {
		t.Errorf("left %s", left)
	}
	if left, _ := filepath.Glob(f.dir + "/.flipdeploy/*.*"); len(left) != 1 { // act.lock
		t.Errorf("left %s", left)
	}
}

func TestWhatSyncSaysIsUnderstood(t *testing.T) {
	f := failingHost(t)
	acts := f.acts()
	for says, want := range map[string]string{
		"sync: error syncing 'quota option': Input/output error": "FD-DISK",
		"sync: option: I/O error":                                "FD-DISK",
		"sync: error opening 'x': Read-only file system":         "FD-DISK",
		"sync: error syncing 'x': Structure needs cleaning":      "FD-DISK",
		"sync: error syncing 'x': No space left on device":       "FD-NO-SPACE",
		"sync: error syncing 'x': Disk quota exceeded":           "FD-NO-SPACE",
		"sync: x: Quota exceeded":                                "FD-NO-SPACE",
		"sync: invalid option -- 'f'\nTry 'sync --help'":         "",
		"sync: Unknown option 'f'":                               "",
		"sync: unrecognized option: f\nBusyBox v1.35.0\n\nUsage": "",
		"sync: error opening 'quota: x': Permission denied":      "",
		"sync: error syncing 'x': Invalid argument":              "",
		"sync: x: Function not implemented":                      "",
		"sync: x: Operation not supported":                       "",
	} {
		f.fail("", says)
		_ = os.Remove(f.bare)
		err := acts["flip"].do()
		if err != nil && code(err) != want || err == nil && want != "" {
			t.Errorf("%s: got %v, want %s", says, err, want)
		}
		if _, bare := os.Stat(f.bare); (bare == nil) != (want == "") {
			t.Errorf("%s: all was synced: %v", says, bare == nil)
		}
	}
	f.fail("", "sync: invalid option -- 'f'")
	for _, name := range inTurn {
		if err := acts[name].do(); err != nil {
			t.Errorf("an old sync: %s: %v", name, err)
		}
	}
}

func TestALockThatCannotBeWrittenIsSaid(t *testing.T) {
	b := newBench(t)
	if err := os.MkdirAll(filepath.Join(b.dir, ".flipdeploy", "act.lock"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := b.site.Fence(t.Context(), 5)
	if want := b.dir + "/.flipdeploy/act.lock cannot be written by "; code(err) != "FD-APP-PATH" || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}
