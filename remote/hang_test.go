package remote_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
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
	c.CallTimeout = time.Second
	m := remotetest.Machine(t, c)
	if err := m.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Stream(t.Context(), "cat >/dev/null", &paced{4, 300 * time.Millisecond}); err != nil {
		t.Errorf("a slow payload: %v", err)
	}
	if err := m.Fetch(t.Context(), "for i in 1 2 3 4; do sleep 0.3; echo .; done", io.Discard); err != nil {
		t.Errorf("a slow answer: %v", err)
	}
	var heard bytes.Buffer
	out, err := m.Stream(remote.Heard(t.Context(), &heard), "for i in 1 2 3 4; do sleep 0.3; echo $i; done", strings.NewReader(""))
	if err != nil || heard.String() != "1\n2\n3\n4\n" || string(out) != heard.String() {
		t.Errorf("what says how far it is: %q, %q, %v", &heard, out, err)
	}
	calls := map[string]func() error{
		"stream": func() error { _, err := m.Stream(t.Context(), "cat >/dev/null; sleep 9", &paced{left: 5}); return err },
		"fetch":  func() error { return m.Fetch(t.Context(), "echo .; sleep 9", io.Discard) },
	}
	for doing, call := range calls {
		began := time.Now()
		err := call()
		var unknown *remote.UnknownError
		if want := doing + ": no answer for 1s"; !errors.As(err, &unknown) || err.Error() != want || time.Since(began) > 6*time.Second {
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

// What was fetched leaves its shell to others, what is left alone its session.
func TestFetchesKeepNobodyOut(t *testing.T) {
	c := remotetest.Start(t).Config()
	c.CallTimeout = 5 * time.Second
	m := remotetest.Machine(t, c)
	for i := range 20 {
		to, script := io.Discard, "echo well"
		if i%2 == 1 {
			to, script = full{}, "exec cat /dev/zero"
		}
		if err := m.Fetch(t.Context(), script, to); i%2 == 0 && err != nil || i%2 == 1 && !errors.Is(err, errFull) {
			t.Fatalf("fetch %d: %v", i, err)
		}
	}
}
