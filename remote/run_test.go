package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

func TestRunReturnsWhatTheScriptWroteToStdout(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	for script, want := range map[string]string{
		"echo one; echo two":                    "one\ntwo\n",
		"printf 'no newline'":                   "no newline",
		"cat <<'E'\n$x\nE":                      "$x\n",
		"":                                      "",
		"# only a comment":                      "",
		"cat; echo read nothing":                "read nothing\n",
		"exit 0; echo never":                    "",
		"head -c 100000 /dev/zero | wc -c":      "100000\n",
		"exec echo replaced":                    "replaced\n",
		"trap 'echo bye' EXIT; echo hi":         "hi\nbye\n",
		"case a in a) echo matched ;; esac":     "matched\n",
		"head -c 131072 /dev/zero | tr '\\0' x": strings.Repeat("x", 131072),
	} {
		out, err := m.Run(t.Context(), script)
		if err != nil || string(out) != want {
			t.Errorf("%q: got %.60q, %v; want %.60q", script, out, err, want)
		}
	}
}

func TestRunTellsHowTheScriptEnded(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	_, err := m.Run(t.Context(), "echo data; echo 'no such\033[31m file' >&2; exit 3")
	var exit *remote.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("got %T %v, want an ExitError", err, err)
	}
	if got, want := exit.Error(), `exit 3: no such\x1b[31m file`; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if exit.ExitCode() != 3 || string(exit.Stdout()) != "data\n" || exit.Code() != "FD-REMOTE-EXIT" {
		t.Errorf("got %d %q %s", exit.ExitCode(), exit.Stdout(), exit.Code())
	}
	_, err = m.Run(t.Context(), "sh -c 'kill -TERM $$'")
	if !errors.As(err, &exit) || exit.ExitCode() != 143 {
		t.Errorf("got %v, want status 143", err)
	}
}

func TestRunDoesNotWaitForChildrenLeftBehind(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	begin := time.Now()
	out, err := m.Run(t.Context(), "sleep 20 & echo started")
	if err != nil || string(out) != "started\n" || time.Since(begin) > 5*time.Second {
		t.Fatalf("got %q, %v after %s", out, err, time.Since(begin))
	}
}

func TestScriptThatCannotBeParsedRunsNothing(t *testing.T) {
	s := remotetest.Start(t)
	_, err := s.Machine(t).Run(t.Context(), "touch "+s.Dir+"/ran\nif true; then")
	var not *remote.NotStartedError
	if !errors.As(err, &not) || not.Code() != "FD-REMOTE-SHELL" {
		t.Fatalf("got %T %v, want FD-REMOTE-SHELL", err, err)
	}
	if out, _ := s.Machine(t).Run(t.Context(), "ls "+s.Dir+"/ran 2>/dev/null || echo absent"); string(out) != "absent\n" {
		t.Fatalf("a part of the script was run: %s", out)
	}
}

func TestRunRefusesOutputThatWasCut(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	out, err := m.Run(t.Context(), "echo first; head -c 3000000 /dev/zero; echo last")
	var cut *remote.OutputError
	if !errors.As(err, &cut) || cut.Code() != "FD-REMOTE-OUTPUT" {
		t.Fatalf("got %v, want FD-REMOTE-OUTPUT", err)
	}
	if got, want := err.Error(), "the script wrote 3000011 bytes, more than the 131072 that are kept"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if !bytes.HasPrefix(out, []byte("first\n")) || !bytes.HasSuffix(out, []byte("last\n")) || len(out) > 131200 {
		t.Errorf("head or tail is missing from %d bytes", len(out))
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	if err := m.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"sleep 30", "while :; do echo endless; done"} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		begin := time.Now()
		_, err := m.Run(ctx, script)
		cancel()
		var unknown *remote.UnknownError
		if !errors.As(err, &unknown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %T %v, want an UnknownError by the deadline", script, err, err)
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("%s: returned after %s", script, d)
		}
	}
	if _, err := m.Run(t.Context(), "true"); err != nil {
		t.Errorf("the connection did not outlive its calls: %v", err)
	}
}

func TestManyCallsShareEightSessionsOfOneConnection(t *testing.T) {
	s := remotetest.Start(t)
	m := s.Machine(t)
	results := make(chan error)
	for i := range 40 {
		go func() {
			out, err := m.Run(t.Context(), fmt.Sprintf("sleep 0.05; echo %d", i))
			if err == nil && string(out) != fmt.Sprintln(i) {
				err = fmt.Errorf("call %d got %q", i, out)
			}
			results <- err
		}()
	}
	for range 40 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(s.Log(), "Accepted publickey"); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestStreamSendsThePayloadToTheScript(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	payload := bytes.Repeat([]byte("0123456789abcdef\n"), 200_000)
	out, err := m.Stream(t.Context(), "read first; echo \"$first\"; wc -c", bytes.NewReader(payload))
	if err != nil || string(out) != "0123456789abcdef\n3399983\n" {
		t.Fatalf("got %q, %v", out, err)
	}
}

func TestStreamEndsWhenTheScriptReadsNoMore(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	_, err := m.Stream(t.Context(), "head -c 10 >/dev/null; echo 'disk full' >&2; exit 7", endless{})
	if err == nil || err.Error() != "exit 7: disk full" {
		t.Fatalf("got %v", err)
	}
}

// started is endless, and tells when it is read first: the script runs by then.
type started struct {
	endless
	then func()
	once sync.Once
}

func (s *started) Read(b []byte) (int, error) {
	s.once.Do(func() { go s.then() })
	return s.endless.Read(b)
}

func TestStreamEndsWithItsContext(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	for _, script := range []string{"cat >/dev/null", "sleep 20"} {
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		_, err := m.Stream(ctx, script, &started{then: func() { time.Sleep(300 * time.Millisecond); cancel() }})
		// The end of the script, by the pipe that we closed, may be told before we look.
		var unknown *remote.UnknownError
		ended := err != nil && err.Error() == "ended by signal PIPE"
		if !errors.As(err, &unknown) && !ended || time.Since(begin) > 4*time.Second {
			t.Errorf("%s: got %v after %s", script, err, time.Since(begin))
		}
	}
}

// Its script may take as long as it likes to see that nobody wants it any more.
func TestAStreamThatIsGivenUpCostsNobodyTheConnection(t *testing.T) {
	s := remotetest.Start(t)
	m := s.Machine(t)
	var other sync.WaitGroup
	other.Go(func() {
		if out, err := m.Run(t.Context(), "sleep 3; echo well"); err != nil || string(out) != "well\n" {
			t.Errorf("the other script: %q, %v", out, err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	_, err := m.Stream(ctx, "sleep 5", &started{then: func() { time.Sleep(300 * time.Millisecond); cancel() }})
	if d := time.Since(began); !errors.As(err, new(*remote.UnknownError)) || d > 2*time.Second {
		t.Errorf("the one given up: %v after %s", err, d)
	}
	other.Wait()
	if n := strings.Count(s.Log(), "Accepted publickey"); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestStreamNamesAPayloadThatCannotBeRead(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	_, err := m.Stream(t.Context(), "cat >/dev/null", broken{})
	if err == nil || err.Error() != "read what to send: bad sector" {
		t.Fatalf("got %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("bad sector") }

func TestNoiseOfStartFilesIsNoOutput(t *testing.T) {
	s := remotetest.Start(t, "ForceCommand echo welcome; echo warning >&2; eval \"$SSH_ORIGINAL_COMMAND\"")
	m := s.Machine(t)
	out, err := m.Run(t.Context(), "echo data")
	if err != nil || string(out) != "data\n" {
		t.Fatalf("got %q, %v", out, err)
	}
	if _, err = m.Run(t.Context(), "echo why >&2; exit 1"); err.Error() != "exit 1: why" {
		t.Fatalf("got %v", err)
	}
}

func TestForcedCommandThatRunsNoShellIsNamed(t *testing.T) {
	s := remotetest.Start(t, "ForceCommand echo 'This account is not available'")
	_, err := s.Machine(t).Run(t.Context(), "true")
	var not *remote.NotStartedError
	if !errors.As(err, &not) {
		t.Fatalf("got %T %v", err, err)
	}
	if got, want := err.Error(), "start a shell: exit 0 before the script began: This account is not available"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
