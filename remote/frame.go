package remote

import (
	"bytes"
	"io"
	"sync"
)

// A frame passes on what stands between two markers. Before the first stands
// only what the account's own start files say, the head of which is kept for
// errors; after the second, what a child left behind still writes.
type frame struct {
	begin, end []byte
	to         io.Writer
	seen       chan struct{} // closed at the first marker
	over       chan struct{} // closed at the second

	mu    sync.Mutex
	held  []byte // may hold a marker's beginning
	noise *capture
}

func newFrame(begin, end string, to io.Writer) *frame {
	return &frame{
		begin: []byte(begin + "\n"), end: []byte(end + "\n"), to: to,
		seen: make(chan struct{}), over: make(chan struct{}), noise: newCapture(8 << 10),
	}
}

// pass sets where to, before a script can have begun.
func (f *frame) pass(to io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to = to
}

func (f *frame) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(p)
	if !f.started() {
		p = f.advance(p, f.begin, f.seen, f.noise)
	}
	if f.started() && !f.complete() {
		f.advance(p, f.end, f.over, f.to)
	}
	return n, nil
}

// advance writes to w what stands before the marker, and returns what stands
// after it once it is there.
func (f *frame) advance(p, marker []byte, found chan struct{}, w io.Writer) []byte {
	text := append(f.held, p...)
	f.held = nil
	if i := bytes.Index(text, marker); i >= 0 {
		_, _ = w.Write(text[:i])
		close(found)
		return text[i+len(marker):]
	}
	keep := overlap(text, marker)
	f.held = bytes.Clone(text[len(text)-keep:])
	_, _ = w.Write(text[:len(text)-keep])
	return nil
}

// overlap is how much of text's end may be the beginning of marker.
func overlap(text, marker []byte) int {
	for n := min(len(text), len(marker)-1); n > 0; n-- {
		if bytes.HasSuffix(text, marker[:n]) {
			return n
		}
	}
	return 0
}

// started tells whether the script was parsed and began.
func (f *frame) started() bool { return isClosed(f.seen) }

// complete tells whether all that the script wrote came.
func (f *frame) complete() bool { return isClosed(f.over) }

// instead is what was said in the script's place.
func (f *frame) instead() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, _ := f.noise.bytes()
	return Clean(string(append(text, f.held...)))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
