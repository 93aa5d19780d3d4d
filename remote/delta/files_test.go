package delta

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFilesAreMadeAnewOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	patch, err := Make(Of(forgedOld), Of([]byte("the new file")))
	if err != nil {
		t.Fatal(err)
	}
	sum := sumOf([]byte("the new file"))
	for name, data := range map[string][]byte{"old": forgedOld, "patch": patch, "cut": patch[:100], "there": []byte("mine")} {
		if err := os.WriteFile(at(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("elsewhere", at("link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, patch, new string
		size            int64
		sum             string
		want            string
	}{
		{"none", "patch", "new", 12, sum, "the old file: open " + at("none") + ": no such file or directory"},
		{"old", "none", "new", 12, sum, "the patch: open " + at("none") + ": no such file or directory"},
		{".", "patch", "new", 12, sum, "the old file: " + dir + " is no file"},
		{"old", "cut", "new", 12, sum, "the patch is damaged: it has 100 bytes"},
		{"old", "patch", "new", 13, sum, "the patch is damaged: it makes a file of 12 bytes, not of 13"},
		{"old", "patch", "new", 12, sumOf0, "the patch is damaged: it makes a file whose sha256 is " + sum + ", not " + sumOf0},
		{"there", "patch", "new", 12, sum, "the old file has 4 bytes, and the patch is for one of 100"},
		{"old", "patch", "there", 12, sum, "the new file: open " + at("there") + ": file exists"},
		{"old", "patch", "link", 12, sum, "the new file: open " + at("link") + ": file exists"},
	} {
		err := ApplyFile(at(c.old), at(c.patch), at(c.new), c.size, c.sum)
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
		if _, err := os.Lstat(at("new")); !os.IsNotExist(err) {
			t.Errorf("%s: a new file is there", c.want)
		}
	}
	if err := ApplyFile(at("old"), at("patch"), at("new"), 12, sum); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(at("new")); string(got) != "the new file" {
		t.Errorf("made %q", got)
	}
	if got, _ := os.ReadFile(at("there")); string(got) != "mine" {
		t.Errorf("a file that was there says %q", got)
	}
}
