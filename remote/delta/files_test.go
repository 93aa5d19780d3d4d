package delta

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFilesAreOverwrittenWithAllOfItOrNotThere(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	patch, err := Make(Of(forgedOld), Of([]byte("the new file")))
	if err != nil {
		t.Fatal(err)
	}
	sum := sumOf([]byte("the new file"))
	for name, data := range map[string][]byte{"old": forgedOld, "patch": patch, "cut": patch[:100], "new": []byte("what was before"), "made": nil, "short": []byte("mine")} {
		if err := os.WriteFile(at(name), data, 0o700); err != nil {
			t.Fatal(err)
		}
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
		{"old", "patch", "none", 12, sum, "the new file: open " + at("none") + ": no such file or directory"},
		{"short", "patch", "made", 12, sum, "the old file has 4 bytes, and the patch is for one of 100"},
	} {
		err := ApplyFile(io.Discard, at(c.old), at(c.patch), at(c.new), c.size, c.sum)
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
		if _, err := os.Lstat(at("none")); !os.IsNotExist(err) {
			t.Errorf("%s: a file was made", c.want)
		}
	}
	if _, err := os.Lstat(at("made")); !os.IsNotExist(err) {
		t.Error("what a patch for another file began is still there")
	}
	if got, _ := os.ReadFile(at("new")); string(got) != "what was before" {
		t.Errorf("what was refused at once overwrote the file: %q", got)
	}
	if err := os.WriteFile(at("made"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := ApplyFile(deaf{}, at("old"), at("patch"), at("made"), 12, sum); err == nil || err.Error() != "nobody listens" {
		t.Errorf("that it made a file was not said, and got %v", err)
	}
	if _, err := os.Lstat(at("made")); !os.IsNotExist(err) {
		t.Error("a file that nobody was told of is still there")
	}
	var said strings.Builder
	if err := ApplyFile(&said, at("old"), at("patch"), at("new"), 12, sum); err != nil || said.String() != sum+"\n" {
		t.Fatalf("said %q, %v", &said, err)
	}
	if got, _ := os.ReadFile(at("new")); string(got) != "the new file" {
		t.Errorf("made %q", got)
	}
	if info, err := os.Stat(at("new")); err != nil || info.Mode() != 0o700 {
		t.Errorf("it has another mode: %v, %v", info, err)
	}
}

type deaf struct{}

func (deaf) Write([]byte) (int, error) { return 0, errors.New("nobody listens") }
