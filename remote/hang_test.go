package remote_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// paced gives a byte at a time, with a pause before each.
type paced struct {
	left  int
	pause time.Duration
}

func (p *paced) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(p.pause)
	p.left--
	return 1, nil
}

// The machine answers, its disk does not: what moves may take its time, what does not is
// given up.
func TestATransferInWhichNothingMovesIsGivenUp(t *testing.T) {
	c := remotetest.Start(t).Config()
	c.CallTimeout = 600 * time.Millisecond
	m := remotetest.Machine(t, c)
	if _, err := m.Stream(t.Context(), "cat >/dev/null", &paced{5, 200 * time.Millisecond}); err != nil {
		t.Errorf("a slow payload: %v", err)
	}
	if err := m.Fetch(t.Context(), "for i in 1 2 3 4 5; do sleep 0.2; echo .; done", io.Discard); err != nil {
		t.Errorf("a slow answer: %v", err)
	}
	calls := map[string]func() error{
		"stream": func() error { _, err := m.Stream(t.Context(), "cat >/dev/null; sleep 3", &paced{left: 5}); return err },
		"fetch":  func() error { return m.Fetch(t.Context(), "echo .; sleep 3", io.Discard) },
	}
	for doing, call := range calls {
		began := time.Now()
		err := call()
		var unknown *remote.UnknownError
		if want := doing + ": no answer for 600ms"; !errors.As(err, &unknown) || err.Error() != want || time.Since(began) > 2*time.Second {
			t.Errorf("got %v after %s, want %s", err, time.Since(began), want)
		}
	}
}

// full takes nothing.
type full struct{}

var errFull = errors.New("it is far larger than the new one")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWhatNobodyTakesIsNotFetchedToItsEnd(t *testing.T) {
	c := remotetest.Start(t).Config()
	c.CallTimeout = 5 * time.Second
	began := time.Now()
	err := remotetest.Machine(t, c).Fetch(t.Context(), "exec cat /dev/zero", full{})
	if !errors.Is(err, errFull) || err.Error() != errFull.Error() || time.Since(began) > 3*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}
