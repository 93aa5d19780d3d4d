package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// windowed are n machines of one sshd, in a window.
func windowed(t *testing.T, n int, w *remote.Window) (all []*remote.Machine) {
	t.Helper()
	s := remotetest.Start(t)
	for i := range n {
		c := s.Config()
		c.Name, c.Window = fmt.Sprint("web", i+1), w
		all = append(all, remotetest.Machine(t, c))
	}
	return all
}

func TestWindowConnectsManyMachinesAFewAtATime(t *testing.T) {
	w := remote.NewWindow(3)
	machines := windowed(t, 12, w)
	var wg sync.WaitGroup
	for round := range 3 {
		for i, m := range machines {
			wg.Go(func() {
				out, err := m.Run(t.Context(), fmt.Sprintf("echo %d.%d", round, i))
				if err != nil || string(out) != fmt.Sprintf("%d.%d\n", round, i) {
					t.Errorf("web%d: %q, %v", i+1, out, err)
				}
			})
		}
	}
	wg.Wait()
	if w.Most() != 3 {
		t.Errorf("%d were open at once", w.Most())
	}
}

// What is under way keeps its connection: who comes then waits, and goes on after it.
func TestWindowNeverCutsWhatIsUnderWay(t *testing.T) {
	machines := windowed(t, 2, remote.NewWindow(1))
	first, second := machines[0], machines[1]
	for what, begin := range map[string]func() (end func() error){
		"a session": func() func() error {
			s, err := first.Open(t.Context(), "read line; exit 7")
			if err != nil {
				t.Fatal(err)
			}
			return func() error {
				_ = s.CloseWrite()
				_, _ = io.ReadAll(s)
				var exit *remote.ExitError
				if err := s.Wait(); !errors.As(err, &exit) || exit.Status != 7 {
					return fmt.Errorf("it ended with %w", err)
				}
				return nil
			}
		},
		"a connection of its own": func() func() error {
			c, err := first.DialContext(t.Context(), "tcp", first.Login()[len(first.Login())-len("127.0.0.1:00000"):])
			if err != nil {
				t.Fatal(err)
			}
			return func() error {
				b := make([]byte, 4)
				_, err := c.Read(b)
				if string(b) != "SSH-" {
					return fmt.Errorf("it said %q: %w", b, err)
				}
				return c.Close()
			}
		},
	} {
		end := begin()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := second.Run(ctx, "true")
		cancel()
		var not *remote.NotStartedError
		if want := "connect: all 1 connections are in use: context deadline exceeded"; !errors.As(err, &not) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %T %v, want %s", what, err, err, want)
		}
		if err := end(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := second.Run(t.Context(), "true"); err != nil {
			t.Errorf("%s has ended: %v", what, err)
		}
	}
}

func TestWindowKeepsWhoWasUsedLast(t *testing.T) {
	machines := windowed(t, 3, remote.NewWindow(2))
	shell := func(m *remote.Machine) string {
		out, err := m.Run(t.Context(), "echo $SSH_CONNECTION")
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	first, _ := shell(machines[0]), shell(machines[1])
	if again := shell(machines[0]); again != first {
		t.Errorf("web1 connected anew without need: %s and %s", first, again)
	}
	shell(machines[2]) // in the place of web2
	if again := shell(machines[0]); again != first {
		t.Errorf("web1 had to go, and web2 was idle for longer: %s and %s", first, again)
	}
}
