package ui

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// A window is a glass that shows what comes out of a terminal of the kernel.
type window struct {
	*os.File
	mu  sync.Mutex
	err error
	glass
}

// look reads until the terminal is closed.
func (w *window) look() {
	for buf := make([]byte, 4096); ; {
		n, err := w.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		if err := w.show(strings.ReplaceAll(string(buf[:n]), "\r\n", "\n")); err != nil {
			w.err = err
		}
		w.mu.Unlock()
	}
}

// resize is what a terminal does: it wraps anew, then tells the kernel. A frame that is
// drawn in between is for the width that was.
func (w *window) resize(t *testing.T, cols int, between func()) {
	t.Helper()
	w.mu.Lock()
	w.glass.resize(cols)
	w.mu.Unlock()
	between()
	size := [4]uint16{24, uint16(cols)}
	control(t, w.File, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
}

func (w *window) want(t *testing.T, when, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		w.mu.Lock()
		got = strings.Join(w.rows(), "\n")
		w.mu.Unlock()
		if got == strings.TrimPrefix(want, "\n") {
			return
		}
	}
	wantText(t, when, got, want)
}

// A person makes the window narrower and wider while the line at the bottom is drawn: none
// of it is left behind, and no line of the story is lost.
func TestABarLeavesNothingWhenTheTerminalIsResized(t *testing.T) {
	for _, cuts := range []bool{false, true} {
		t.Run(fmt.Sprintf("cuts %v", cuts), func(t *testing.T) {
			person, tty := pty(t, 72)
			w := &window{File: person, glass: glass{width: 72, cuts: cuts}}
			go w.look()
			u := New(Detect(tty, tty, func(name string) string { return map[string]string{"TERM": "xterm", "NO_COLOR": "1"}[name] }))
			u.Event(host(0, "web1", deploy.Draining, "", 0))
			u.Event(deploy.Event{Kind: deploy.KindLB, Host: "web1", LB: "edge1", Detail: "12 sessions"})
			w.want(t, "at first", "flipping   0% [                      ] (0/1)  web1 draining (edge1: 12 ")
			w.resize(t, 30, func() {})
			w.want(t, "narrow", "flipping   0% (0/1)  web1 dra")
			w.resize(t, 72, func() {})
			w.want(t, "wide again", "flipping   0% [                      ] (0/1)  web1 draining (edge1: 12 ")
			w.resize(t, 20, func() { // a line is told meanwhile, and the bar drawn again below it
				u.Event(deploy.Event{Kind: deploy.KindLock, Detail: "held"})
				time.Sleep(50 * time.Millisecond)
			})
			w.want(t, "with a line of the story", "\nfleet  lock       he\nld\nflipping   0% (0/1)")
			story := "\nfleet  lock       held\n"
			if cuts {
				story = "\nfleet  lock       he\nld\n"
			}
			w.resize(t, 40, func() {})
			w.want(t, "wider", story+"flipping   0% (0/1)  web1 draining (edg")
			u.Result(deploy.Result{Outcome: deploy.OutcomeNothing})
			u.Close()
			w.want(t, "at the end", story+"nothing: there was nothing to do\n")
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.err != nil {
				t.Error(w.err)
			}
		})
	}
}
