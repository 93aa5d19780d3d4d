package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/delta"
)

// What the program does on a host: the new file and its sum, or why not; and a host that has
// less memory than all of it is not asked for more.
func TestItAppliesAPatchOnAHost(t *testing.T) {
	percent, most := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(most) })
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	before := []byte(strings.Repeat("what it was ", 1000))
	after := []byte(strings.Repeat("what it was ", 999) + "what it is")
	patch, err := delta.Make(delta.Of(before), delta.Of(after))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"before": before, "patch": patch, "after": nil} {
		if err := os.WriteFile(at(name), data, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	hash := sha256.Sum256(after)
	sum := hex.EncodeToString(hash[:])
	for _, c := range []struct {
		old, size, sum string
		want           ending
	}{
		{"none", "11998", sum, ending{1, "", "the old file: open " + at("none") + ": no such file or directory\n"}},
		{"before", "many", sum, ending{1, "", "strconv.ParseInt: parsing \"many\": invalid syntax\n"}},
		{"before", "11998", sum, ending{0, sum + "\n", ""}},
	} {
		if got := flipdeploy(t, delta.Verb, at(c.old), at("patch"), at("after"), c.size, c.sum); got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
	if read(t, at("after")) != string(after) {
		t.Errorf("made %q", read(t, at("after")))
	}
	if limit, collects := debug.SetMemoryLimit(-1), debug.SetGCPercent(100); limit != 64<<20+11998 || collects != -1 {
		t.Errorf("it collects at %d %%, and within %d bytes", collects, limit)
	}
}
