package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// keyOnly begins the names of the key's variables: what a hook says when it fails is shown.
const keyOnly = "FLIPDEPLOY_SSH_"

// hookGrace is from TERM to KILL.
const hookGrace = 2 * time.Second

// call runs one hook in a process group of its own, so that a Ctrl-C is ours to tell it
// of, and returns once it ended. At its timeout, or when ctx ends, it is ended with all
// that it began.
func (h *hooks) call(ctx context.Context, argv []string, what happening) error {
	if argv == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("no end within %s: stopped", h.Timeout))
	defer cancel()
	began := time.Now()
	said, err := h.exec(ctx, argv, what)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, exec.ErrWaitDelay): // it ended well and left something in the background
		err = nil
	}
	if err != nil {
		return hookFault(what.Hook, argv[0], err, said.lines())
	}
	h.emit(deploy.Event{Kind: deploy.KindHook, Host: what.Host, Detail: what.Hook + ": " + argv[0], ElapsedMS: time.Since(began).Milliseconds()})
	return nil
}

func (h *hooks) exec(ctx context.Context, argv []string, what happening) (*lastWords, error) {
	line, err := h.line(what)
	if err != nil {
		return nil, err
	}
	said := &lastWords{}
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = h.dir, bytes.NewReader(line), said, said
	c.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, keyOnly) })
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = hookGrace
	err = c.Run()
	if ctx.Err() != nil && c.Process != nil {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what of its group is left
	}
	return said, err
}

// line is what the hook reads.
func (h *hooks) line(what happening) ([]byte, error) {
	all := h.about
	all.Hook, all.Time, all.Hosts, all.Host, all.Phase, all.Result = what.Hook, time.Now(), what.Hosts, what.Host, what.Phase, what.Result
	line, err := json.Marshal(all)
	return append(line, '\n'), err
}

// lastWords keep the end of what is written.
type lastWords struct{ text []byte }

func (w *lastWords) Write(p []byte) (int, error) {
	const most = 64 << 10
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-most):]
	return len(p), nil
}

// lines are the last ten that say something.
func (w *lastWords) lines() []string {
	if w == nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(string(w.text)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-10):]
}
