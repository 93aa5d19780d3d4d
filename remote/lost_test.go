package remote_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// overCable is an sshd behind a cable that can be cut.
func overCable(t *testing.T) (*remotetest.Cable, *remote.Machine) {
	t.Helper()
	s := remotetest.Start(t)
	cable := remotetest.Plug(t, s.HostPort())
	s.TrustAt(t, cable.Addr)
	c := s.Config()
	c.Port, c.KeepAlive = cable.Port(), 100*time.Millisecond
	return cable, remotetest.Machine(t, c)
}

func TestALostConnectionLeavesTheOutcomeUnknown(t *testing.T) {
	cable, m := overCable(t)
	if err := m.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, harm := range map[string]func(){"cut": cable.Cut, "frozen": cable.Freeze} {
		timer := time.AfterFunc(300*time.Millisecond, harm)
		begin := time.Now()
		_, err := m.Run(t.Context(), "sleep 10")
		var unknown *remote.UnknownError
		if !errors.As(err, &unknown) || code(err) != "FD-SSH-LOST" {
			t.Errorf("%s: got %T %v", name, err, err)
		}
		if name == "frozen" && err.Error() != "run: no answer for 300ms" {
			t.Errorf("got %v", err)
		}
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("%s: told after %s", name, d)
		}
		timer.Stop()
		cable.Thaw()
		if out, err := m.Run(t.Context(), "echo anew"); err != nil || string(out) != "anew\n" {
			t.Errorf("%s: the next call got %q, %v", name, out, err)
		}
	}
}

// The machine answers, its disk or its sudo does not.
func TestAScriptThatHangsIsGivenUp(t *testing.T) {
	c := remotetest.Start(t).Config()
	c.CallTimeout = 300 * time.Millisecond
	m := remotetest.Machine(t, c)
	if _, err := m.Run(remote.Patient(t.Context(), 10*time.Second), "true"); err != nil { // to connect may take longer than that
		t.Fatal(err)
	}
	_, err := m.Run(t.Context(), "sleep 2")
	var unknown *remote.UnknownError
	if !errors.As(err, &unknown) || code(err) != "FD-SSH-LOST" || err.Error() != "run: no answer for 300ms" {
		t.Errorf("got %v", err)
	}
	if out, err := m.Run(remote.Patient(t.Context(), 10*time.Second), "sleep 1; echo done"); err != nil || string(out) != "done\n" {
		t.Errorf("a call that may take its time: %q, %v", out, err)
	}
}

func TestAPeerThatGoesMuteIsGivenUp(t *testing.T) {
	r := remotetest.Misbehave(t, remotetest.Manners{Mute: true})
	begin := time.Now()
	_, err := remotetest.Machine(t, r.Config()).Run(t.Context(), "true")
	var unknown *remote.UnknownError
	if !errors.As(err, &unknown) || err.Error() != "run: no answer for 150ms" || time.Since(begin) > time.Second {
		t.Errorf("got %v after %s", err, time.Since(begin))
	}
}

func TestRefusedSessionsNeverStarted(t *testing.T) {
	for want, manners := range map[string]remotetest.Manners{
		"open a session: ssh: rejected: connect failed (\"open failed\")": {NoSessions: true},
		"start a shell: sshd refused to run exec /bin/sh -s":              {NoExec: true},
		"start a shell: exit 0 before the script began":                   {Shell: func(_, _ string, _, _ io.Writer) {}},
		"start a shell: exit 0 before the script began: account ended":    {Shell: func(_, _ string, out, _ io.Writer) { _, _ = io.WriteString(out, "account ended") }},
	} {
		_, err := remotetest.Machine(t, remotetest.Misbehave(t, manners).Config()).Run(t.Context(), "true")
		var not *remote.NotStartedError
		if !errors.As(err, &not) || err.Error() != want {
			t.Errorf("got %T %v, want %s", err, err, want)
		}
	}
}

func TestAMissingExitStatusIsUnknown(t *testing.T) {
	half := func(begin, _ string, out, _ io.Writer) { _, _ = io.WriteString(out, begin+"\nhalf") }
	for want, manners := range map[string]remotetest.Manners{
		"run: the session ended without an exit status":           {NoStatus: true},
		"run: it ended, and the end of what it said did not come": {Shell: half},
	} {
		_, err := remotetest.Machine(t, remotetest.Misbehave(t, manners).Config()).Run(t.Context(), "true")
		var unknown *remote.UnknownError
		if !errors.As(err, &unknown) || !unknown.OutcomeUnknown() || err.Error() != want {
			t.Errorf("got %T %v, want %s", err, err, want)
		}
	}
}

// An exit status may come before the output does, and the output then not at all.
func TestAnExitStatusAloneDoesNotSayThatNothingRan(t *testing.T) {
	for name, call := range map[string]func(*remote.Machine) error{
		"run": func(m *remote.Machine) error { _, err := m.Run(t.Context(), "true"); return err },
		"stream": func(m *remote.Machine) error {
			_, err := m.Stream(t.Context(), "cat", strings.NewReader("x"))
			return err
		},
		"open": func(m *remote.Machine) error { _, err := m.Open(t.Context(), "cat"); return err },
	} {
		err := call(remotetest.Machine(t, remotetest.Misbehave(t, remotetest.Manners{Cut: true}).Config()))
		if !errors.As(err, new(*remote.UnknownError)) || !strings.Contains(err.Error(), "the connection ended: ") {
			t.Errorf("%s: got %T %v", name, err, err)
		}
	}
}

// What is asked only to have sshd send at once did nothing, however it ended.
func TestAWarmingThatIsNotAnsweredIsNoDoubt(t *testing.T) {
	m := remotetest.Machine(t, remotetest.Misbehave(t, remotetest.Manners{Mute: true}).Config())
	_, err := m.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	if !errors.As(err, new(*remote.NotStartedError)) || err.Error() != "open a session: no answer for 150ms" {
		t.Errorf("got %T %v", err, err)
	}
}

// What a server says before it was asked anything is nobody's answer, and ends nobody.
func TestAServerThatSpeaksFirst(t *testing.T) {
	for range 20 {
		r := remotetest.Misbehave(t, remotetest.Manners{Early: "hello\n"})
		if out, err := remotetest.Machine(t, r.Config()).Run(t.Context(), "true"); err != nil || len(out) != 0 {
			t.Fatalf("%q, %v", out, err)
		}
	}
}

// Without its last line a script does not run: as long as that was not sent, all is known.
func TestAScriptThatWasNotSentNeverStarted(t *testing.T) {
	long := strings.Repeat("# more than the other side takes without reading it\n", 60_000)
	for name, r := range map[string]struct {
		manners      remotetest.Manners
		patience     time.Duration
		script, want string
	}{
		"no shell in time":           {remotetest.Manners{NoAnswer: true}, 300 * time.Millisecond, "true", "start a shell: no answer for 300ms"},
		"no shell, then no machine":  {remotetest.Manners{NoAnswer: true, Mute: true}, time.Minute, "true", "start a shell: no answer for 150ms"},
		"a shell that reads nothing": {remotetest.Manners{Deaf: true}, time.Minute, long, "start a shell: the session ended without an exit status"},
	} {
		m := remotetest.Machine(t, remotetest.Misbehave(t, r.manners).Config())
		if err := m.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := m.Run(remote.Patient(t.Context(), r.patience), r.script)
		if !errors.As(err, new(*remote.NotStartedError)) || err.Error() != r.want {
			t.Errorf("%s: got %T %v, want %s", name, err, err, r.want)
		}
	}
}

func TestEndlessOutputCostsNoMemory(t *testing.T) {
	r := remotetest.Misbehave(t, remotetest.Manners{Endless: true})
	m := remotetest.Machine(t, r.Config())
	time.AfterFunc(300*time.Millisecond, func() { _ = m.Close() })
	out, err := m.Run(t.Context(), "true")
	var unknown *remote.UnknownError
	if !errors.As(err, &unknown) || len(out) > 132<<10 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if _, err := m.Run(t.Context(), "true"); err == nil || !errors.As(err, new(*remote.NotStartedError)) {
		t.Errorf("after Close: %v", err)
	}
}
