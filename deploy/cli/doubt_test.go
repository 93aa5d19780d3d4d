package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A wire loses the answers of scripts that contain "lost".
type wire struct {
	site.Machine
	sent []string
}

type lostAnswer struct{ error }

func (lostAnswer) OutcomeUnknown() bool { return true }

func (w *wire) Run(_ context.Context, script string) ([]byte, error) {
	w.sent = append(w.sent, script)
	if strings.Contains(script, "lost") {
		return nil, lostAnswer{errors.New("connection lost")}
	}
	return nil, nil
}

func (w *wire) Stream(ctx context.Context, script string, _ io.Reader) ([]byte, error) {
	return w.Run(ctx, script)
}

func (w *wire) Fetch(ctx context.Context, script string, _ io.Writer) error {
	_, err := w.Run(ctx, script)
	return err
}

func TestWhatIsGivenUpIsShutOutBeforeAnythingElse(t *testing.T) {
	w, broken := &wire{}, 0
	m := &sureMachine{Machine: w, turns: func(_ context.Context, epoch, turn int64) error {
		w.sent = append(w.sent, fmt.Sprintf("turn %d of %d", turn, epoch))
		if broken--; broken >= 0 {
			return lostAnswer{errors.New("connection lost")}
		}
		return nil
	}}
	run := func(script string) { _, _ = m.Run(t.Context(), script) }
	run("look, lost") // nothing was changed from here yet
	run("look")
	m.fenced(7)
	run("flip, lost")
	broken = 1
	if _, err := m.Run(t.Context(), "reload"); err == nil || err.Error() != "shut out what may still be under way: connection lost" {
		t.Errorf("got %v", err)
	}
	_, _ = m.Stream(t.Context(), "stage", nil)
	run("look")
	m.fenced(8)
	run("flip")
	want := "look, lost|look|flip, lost|turn 1 of 7|turn 2 of 7|fd_turn=2\nstage|fd_turn=2\nlook|flip"
	if got := strings.Join(w.sent, "|"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
