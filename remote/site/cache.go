package site

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Cache keeps artifacts on the runner, under their sha256: what hosts run now is what
// the next release is told apart from. Many runs may use it at once. What it gives was
// compared; what is torn or was changed is thrown away.
type Cache struct {
	Dir string
	Max int64 // bytes kept; 0: as many as CacheMax
}

// CacheMax is what a cache keeps of bytes.
const CacheMax = 1 << 30

// CacheDir is where the user's caches are kept, "" where that cannot be told.
func CacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "flipdeploy", "artifacts")
}

var errNotCached = errors.New("not in the cache")

// get is the file of that sha256.
func (c *Cache) get(hash string) ([]byte, error) {
	if c == nil || c.Dir == "" || !hexSHA256.MatchString(hash) {
		return nil, errNotCached
	}
	name := filepath.Join(c.Dir, hash)
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, errNotCached
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		return nil, errors.Join(errNotCached, os.Remove(name))
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now) // it counts as new, where it may
	return data, nil
}

// Fetch is the file of that sha256: what the cache has, else what fill writes, which is
// kept. The file can be read whatever becomes of the cache. sum is that of its bytes; what has
// another one than hash is not kept.
func (c *Cache) Fetch(hash string, fill func(io.Writer) error) (f *os.File, sum string, err error) {
	if f = c.open(hash); f != nil {
		return f, hash, nil
	}
	if f, err = unnamed(); err != nil {
		return nil, "", err
	}
	if err = fill(f); err == nil {
		_, sum, err = sumOf(f)
	}
	if err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	if sum == hash {
		_ = c.put(hash, io.NewSectionReader(f, 0, 1<<62)) // it is here, kept or not
	}
	return f, sum, nil
}

// open is the file of that sha256, compared, nil for none.
func (c *Cache) open(hash string) *os.File {
	if !c.has(hash) {
		return nil
	}
	name := filepath.Join(c.Dir, hash)
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	if _, sum, err := sumOf(f); err != nil || sum != hash {
		_, _ = f.Close(), os.Remove(name)
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now) // it counts as new, where it may
	return f
}

func (c *Cache) has(hash string) bool {
	if c == nil || c.Dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(c.Dir, hash))
	return err == nil
}

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// put keeps what r gives under its sha256, and less of what was not used for longest.
func (c *Cache) put(hash string, r io.Reader) error {
	if c == nil || c.Dir == "" || c.has(hash) {
		return nil
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("keep the artifact: %w", err)
	}
	f, err := os.CreateTemp(c.Dir, temp)
	if err != nil {
		return fmt.Errorf("keep the artifact: %w", err)
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), r)
	err = errors.Join(err, f.Close())
	if got := hex.EncodeToString(sum.Sum(nil)); err == nil && got != hash {
		err = fmt.Errorf("its sha256 is %s, not %s", got, hash)
	}
	if err == nil { // a crash of the machine may tear it: get sees that
		err = os.Rename(f.Name(), filepath.Join(c.Dir, hash))
	}
	if err != nil {
		return fmt.Errorf("keep the artifact: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return c.shrink()
}

// temp is how files begin that a run is still writing, or was when it died.
const temp = ".temp-"

// shrink removes what is too much, oldest use first, and what dead runs left.
func (c *Cache) shrink() error {
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return fmt.Errorf("clean the cache: %w", err)
	}
	var all []os.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil: // another run was faster
		case strings.HasPrefix(e.Name(), temp):
			if time.Since(info.ModTime()) > 24*time.Hour {
				_ = os.Remove(filepath.Join(c.Dir, e.Name()))
			}
		case hexSHA256.MatchString(e.Name()):
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b os.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	left := c.Max
	if left == 0 {
		left = CacheMax
	}
	for _, info := range all {
		if info.Size() > left {
			_ = os.Remove(filepath.Join(c.Dir, info.Name()))
			continue
		}
		left -= info.Size()
	}
	return nil
}
