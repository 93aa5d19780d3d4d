package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (c *Cache) keep(t *testing.T, text string) {
	t.Helper()
	if err := c.put(hashOf(text), strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
}

func TestTheCacheGivesOnlyWhatIsWhole(t *testing.T) {
	c := &Cache{Dir: filepath.Join(t.TempDir(), "a", "b")}
	c.keep(t, "one")
	if got, err := c.get(hashOf("one")); string(got) != "one" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, hash := range []string{hashOf("two"), "../b", ""} {
		if _, err := c.get(hash); err == nil || err.Error() != "not in the cache" {
			t.Errorf("%q: got %v", hash, err)
		}
	}
	name := filepath.Join(c.Dir, hashOf("one"))
	if err := os.WriteFile(name, []byte("on"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.get(hashOf("one")); err == nil {
		t.Error("a torn file was given")
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Error("a torn file was kept")
	}
	err := c.put(hashOf("one"), strings.NewReader("another"))
	if want := "keep the artifact: its sha256 is " + hashOf("another") + ", not " + hashOf("one"); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if info, _ := os.Stat(c.Dir); info.Mode().Perm() != 0o700 {
		t.Errorf("mode %s", info.Mode())
	}
	if left, _ := os.ReadDir(c.Dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestTheCacheForgetsWhatWasUsedLongestAgo(t *testing.T) {
	c := &Cache{Dir: t.TempDir(), Max: 7}
	dead, young := filepath.Join(c.Dir, temp+"dead"), filepath.Join(c.Dir, temp+"young")
	for i, name := range []string{dead, young} {
		_ = os.WriteFile(name, nil, 0o600)
		_ = os.Chtimes(name, time.Time{}, time.Now().Add(time.Duration(i-1)*25*time.Hour))
	}
	for i, text := range []string{"one", "two"} {
		c.keep(t, text)
		_ = os.Chtimes(filepath.Join(c.Dir, hashOf(text)), time.Time{}, time.Now().Add(time.Duration(i-10)*time.Hour))
	}
	if _, err := c.get(hashOf("one")); err != nil { // used again
		t.Fatal(err)
	}
	c.keep(t, "six")
	for text, want := range map[string]bool{"one": true, "two": false, "six": true} {
		if c.has(hashOf(text)) != want {
			t.Errorf("%s is there: %v", text, !want)
		}
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("what a dead run left is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("what another run writes is gone")
	}
}

func TestWhatIsTooLargeForTheCacheTakesNoOthersPlace(t *testing.T) {
	c := &Cache{Dir: t.TempDir(), Max: 7}
	c.keep(t, "one")
	c.keep(t, "12345678")
	if !c.has(hashOf("one")) || c.has(hashOf("12345678")) {
		t.Errorf("one is there: %v; what is too large is: %v", c.has(hashOf("one")), c.has(hashOf("12345678")))
	}
}

func TestManyRunsUseOneCache(t *testing.T) {
	c := &Cache{Dir: t.TempDir(), Max: 64 << 10}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				text := strings.Repeat(fmt.Sprint((i+j)%10), 20<<10)
				if err := c.put(hashOf(text), strings.NewReader(text)); err != nil {
					t.Error(err)
				}
				if got, err := c.get(hashOf(text)); err == nil && !bytes.Equal(got, []byte(text)) {
					t.Error("other bytes")
				}
			}
		})
	}
	wg.Wait()
	if left, _ := os.ReadDir(c.Dir); len(left) > 3 {
		t.Errorf("%d are left", len(left))
	}
}

func TestWithoutACacheNothingIsKept(t *testing.T) {
	for _, c := range []*Cache{nil, {}} {
		if err := c.put(hashOf("one"), strings.NewReader("one")); err != nil || c.has(hashOf("one")) {
			t.Errorf("kept, %v", err)
		}
	}
}
