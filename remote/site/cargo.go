package site

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/flipdeploy/flipdeploy/remote/delta"
)

// A Cargo is an artifact on its way to many hosts. What is made of it for the way is
// made once, and all hosts share it. It is safe for use by many goroutines.
type Cargo struct {
	*Artifact
	o CargoOptions

	mu     sync.Mutex
	made   map[string]*making // patches by the old sha256, packed artifacts by tool
	helper func() (*helper, error)
	link   chan struct{} // held by the one host that measures
	pulls  chan struct{} // held by hosts that fetch it
	hands  chan struct{} // held while a patch is made: that takes four times its size
	speed  float64       // bytes a second, 0 until it was measured
	busy   float64       // as of road
	far    time.Duration // round trip, 0 until it was measured
}

// CargoOptions are what the runner has.
type CargoOptions struct {
	Hosts  int    // that wait for it
	Cache  *Cache // nil: none
	Helper string // file of flipdeploy's own program; "": deltas cannot be applied
	Limit  *Limit // on all that is sent; nil: none
	Whole  bool   // send all of it as it is, always
	Speed  int64  // of each host's link, bytes a second; 0: it is measured

	RoundTrip time.Duration // of each host's link; 0: it is measured where that is worth it
}

// NewCargo does no input or output yet.
func NewCargo(a *Artifact, o CargoOptions) *Cargo {
	c := &Cargo{Artifact: a, o: o, made: map[string]*making{}, link: make(chan struct{}, 1), hands: make(chan struct{}, 1), pulls: make(chan struct{}, pullers), speed: float64(o.Speed)}
	c.helper = sync.OnceValues(func() (*helper, error) { return readHelper(o.Helper) })
	return c
}

// Keep has the artifact in the runner's cache, for the delta to the next one. It is there
// once no run writes to it, or not at all.
func (c *Cargo) Keep() error {
	if c.Kind != File || c.Size > delta.MaxSize || c.unchanged() != nil {
		return nil
	}
	return c.o.Cache.put(c.SHA256, c.Reader())
}

// A making is done by the first who asks, while the others wait.
type making struct {
	done chan struct{}
	data []byte
	file *os.File
	err  error
}

// once returns what make made under that key, whoever asked first.
func (c *Cargo) once(ctx context.Context, key string, do func(*making)) (*making, error) {
	c.mu.Lock()
	m, there := c.made[key]
	if !there && c.made == nil {
		c.mu.Unlock()
		return nil, errors.New("all has been sent")
	}
	if !there {
		m = &making{done: make(chan struct{})}
		c.made[key] = m
	}
	c.mu.Unlock()
	if !there {
		do(m)
		close(m.done)
	}
	select {
	case <-m.done:
		return m, m.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// pick is the release that the patch should be made for: one that others have, too, else
// one whose bytes are here, else the best of the host.
func (c *Cargo) pick(old []oldRelease) oldRelease {
	c.mu.Lock()
	i := slices.IndexFunc(old, func(r oldRelease) bool { return c.made[r.hash] != nil })
	c.mu.Unlock()
	if i < 0 {
		i = max(0, slices.IndexFunc(old, func(r oldRelease) bool { return c.o.Cache.has(r.hash) }))
	}
	return old[i]
}

// known tells whether the patch is made of what is here.
func (c *Cargo) known(hash string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made[hash] != nil || c.o.Cache.has(hash)
}

// patch is the patch to the release, made of the cache's bytes or of those that fetch
// brings from the host.
func (c *Cargo) patch(ctx context.Context, old oldRelease, fetch func(io.Writer) error) ([]byte, error) {
	m, err := c.once(ctx, old.hash, func(m *making) { m.data, m.err = c.makePatch(ctx, old, fetch) })
	if err != nil {
		return nil, err
	}
	return m.data, nil
}

func (c *Cargo) makePatch(ctx context.Context, old oldRelease, fetch func(io.Writer) error) ([]byte, error) {
	select {
	case c.hands <- struct{}{}:
		defer func() { <-c.hands }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	was, err := c.oldBytes(old, fetch)
	if err != nil {
		return nil, err
	}
	now := make([]byte, c.Size)
	if _, err := io.ReadFull(c.Reader(), now); err != nil {
		return nil, fmt.Errorf("read the artifact: %w", err)
	}
	patch, err := delta.Make(build(was, old.hash), build(now, c.SHA256))
	if err != nil {
		return nil, err
	}
	if int64(len(patch)) > c.Size/3 {
		return nil, c.poor(len(patch))
	}
	return patch, nil
}

// build is data of a sha256 that was compared before, when it was read.
func build(data []byte, sum string) delta.Build {
	b := delta.Build{Data: data}
	_, _ = hex.Decode(b.SHA256[:], []byte(sum)) // 64 digits: it was compared
	return b
}

// poor explains why a patch saves little.
func (c *Cargo) poor(n int) error {
	text := fmt.Sprintf("it would be %d %% of the whole", int64(n)*100/c.Size)
	if c.debugPacked() {
		text += ", since the program has compressed debug information: strip it (-ldflags='-s -w'), or build with -ldflags=-compressdwarf=false"
	}
	return errors.New(text)
}

// oldBytes are in the cache, or come from the host once and are kept there then.
func (c *Cargo) oldBytes(old oldRelease, fetch func(io.Writer) error) ([]byte, error) {
	if data, err := c.o.Cache.get(old.hash); err == nil {
		return data, nil
	}
	b := atMost{left: 2*c.Size + 64<<20}
	if err := fetch(&b); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", old.id, err)
	}
	if sum := sha256.Sum256(b.Bytes()); hex.EncodeToString(sum[:]) != old.hash {
		return nil, fmt.Errorf("fetch %s: its program is not the one that was released", old.id)
	}
	_ = c.o.Cache.put(old.hash, bytes.NewReader(b.Bytes())) // it is here, kept or not
	return b.Bytes(), nil
}

// atMost takes no more than it has left.
type atMost struct {
	bytes.Buffer
	left int64
}

func (b *atMost) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errors.New("it is far larger than the new one")
	}
	return b.Buffer.Write(p)
}

// packed is the artifact packed with the tool, in an unnamed file.
func (c *Cargo) packed(ctx context.Context, tool string) (*io.SectionReader, error) {
	if c.Kind == TarZst && tool == "zstd" { // it came so
		return io.NewSectionReader(c.file, 0, c.was.Size()), nil
	}
	m, err := c.once(ctx, tool, func(m *making) { m.file, m.err = c.pack(tool) })
	if err != nil {
		return nil, err
	}
	info, err := m.file.Stat()
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(m.file, 0, info.Size()), nil
}

func (c *Cargo) pack(tool string) (*os.File, error) {
	f, err := unnamed()
	if err != nil {
		return nil, err
	}
	var w io.WriteCloser
	if tool == "zstd" {
		w, err = zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
	} else {
		w, err = gzip.NewWriterLevel(f, gzip.BestSpeed)
	}
	if err == nil {
		_, err = io.Copy(w, c.Reader())
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("pack: %w", errors.Join(err, f.Close()))
	}
	return f, nil
}

// Close gives back what was made; the artifact stays open.
func (c *Cargo) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, m := range c.made {
		<-m.done
		if m.file != nil {
			errs = append(errs, m.file.Close())
		}
	}
	c.made = nil
	return errors.Join(errs...)
}
