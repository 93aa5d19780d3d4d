package remote

import (
	"bytes"
	"io"
	"strconv"
	"sync"
)

// A frame passes on what stands between two markers. Before the first stands
// only what the account's own start files say, the head of which is kept for
// errors, and what a script before left behind; after the second the exit status, and
// then what a child left behind still writes.
type frame struct {
	begin, end []byte
	to         io.Writer
	seen       chan struct{} // closed at the first marker
	over       chan struct{} // closed behind the exit status

	mu    sync.Mutex
	held  []byte // may hold a marker's beginning
	ended bool   // the second marker came
	line  []byte // what stands behind it
	code  int    // the exit status, valid once over is closed
	noise *capture
}

func newFrame(begin, end string, to io.Writer) *frame {
	return &frame{
		begin: []byte(begin + "\n"), end: []byte(end + " "), to: to,
		seen: make(chan struct{}), over: make(chan struct{}), noise: newCapture(8 << 10),
	}
}

func (f *frame) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(p)
	if !f.started() {
		var found bool
		if p, found = f.advance(p, f.begin, f.noise); !found {
			return n, nil
		}
		close(f.seen)
	}
	if !f.ended {
		if p, f.ended = f.advance(p, f.end, f.to); !f.ended {
			return n, nil
		}
	}
	if !f.complete() {
		f.finish(p)
	}
	return n, nil
}

// advance writes to w what stands before the marker, and returns what stands
// after it once it is there.
func (f *frame) advance(p, marker []byte, w io.Writer) (rest []byte, found bool) {
	text := append(f.held, p...)
	f.held = nil
	if i := bytes.Index(text, marker); i >= 0 {
		_, _ = w.Write(text[:i])
		return text[i+len(marker):], true
	}
	keep := overlap(text, marker)
	f.held = bytes.Clone(text[len(text)-keep:])
	_, _ = w.Write(text[:len(text)-keep])
	return nil, false
}

// finish reads the exit status, which the shell writes in one piece with the marker.
func (f *frame) finish(p []byte) {
	line, _, whole := bytes.Cut(p, []byte("\n"))
	f.line = append(f.line, line[:min(len(line), 4)]...)
	if !whole {
		return
	}
	if code, err := strconv.ParseUint(string(f.line), 10, 8); err == nil {
		f.code = int(code)
		close(f.over)
	}
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

// status is how the script ended, once it is complete.
func (f *frame) status() exitStatus { return exitStatus{code: f.code} }

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
