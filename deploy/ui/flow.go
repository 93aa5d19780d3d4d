package ui

import (
	"fmt"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// A flow counts bytes while staging, as they are told; it is drawn at leisure.
type flow struct {
	mu          sync.Mutex
	began       time.Time
	sent, total int64
	hosts       map[string]*share
	order       []string
}

// A share is what one host takes of the flow.
type share struct{ sent, of int64 }

// counts tells whether e is of the flow alone.
func (f *flow) counts(e deploy.Event) bool {
	return e.Kind == deploy.KindHost && e.Phase == deploy.Staging && (e.Bytes > 0 || e.Total > 0 || e.Of > 0)
}

func (f *flow) add(e deploy.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.began.IsZero() {
		f.began, f.hosts = time.Now(), map[string]*share{}
	}
	f.sent += e.Bytes
	if e.Total > 0 {
		f.total = e.Total
	}
	if e.Host == "" {
		return
	}
	h := f.hosts[e.Host]
	if h == nil {
		h = &share{}
		f.hosts[e.Host], f.order = h, append(f.order, e.Host)
	}
	h.sent, h.of = h.sent+e.Bytes, e.Of
}

func (f *flow) now() (sent, total int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent, f.total
}

// ahead is `6s left, web7 slowest at 43%`, as far as that can be told.
func (f *flow) ahead() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var left, slowest string
	if took := time.Since(f.began); took >= time.Second && f.sent > 0 && f.sent < f.total {
		left = whole(time.Duration(float64(took)/float64(f.sent)*float64(f.total-f.sent))) + " left"
	}
	if name, part := f.slowest(); name != "" {
		slowest = fmt.Sprintf("%s slowest at %d%%", clean(name), part)
	}
	return joined(", ", left, slowest)
}

// slowest is the host of several with the smallest part of its bytes, "" once all have
// theirs.
func (f *flow) slowest() (name string, part int64) {
	part = 100
	for _, n := range f.order {
		if h := f.hosts[n]; h.sent < h.of && h.sent*100/h.of < part {
			name, part = n, h.sent*100/h.of
		}
	}
	if len(f.order) < 2 {
		return "", 0
	}
	return name, part
}

// whole is a duration in seconds, never 0.
func whole(d time.Duration) string { return max(time.Second, d.Round(time.Second)).String() }
