package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// wrap makes the shell parse all of the script before it runs any of it: a
// connection that is cut in the middle of the script runs nothing. Markers set
// what the script writes apart from what the account's start files print, and tell
// when all of it has come and how it ended. What the script sets ends with its subshell;
// one that reads stdin is its shell's last. sbin is where the balancers' programs live.
func (p *proc) wrap(script string, stdin bool) string {
	var b strings.Builder
	b.WriteString("{ echo " + p.begin + "; echo " + p.begin + " >&2; (\n")
	b.WriteString("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH\n")
	b.WriteString(script)
	b.WriteString("\n)")
	if !stdin {
		b.WriteString(" </dev/null")
	}
	b.WriteString("; s=$?; echo " + p.end + " $s; echo " + p.end + " $s >&2; ")
	if stdin {
		b.WriteString("exit $s; ")
	}
	b.WriteString("}\n")
	return b.String()
}

// Run runs a POSIX shell script and returns what it wrote to stdout. The error is
// nil for exit 0 only; it is an *ExitError, a *NotStartedError, an *UnknownError,
// or an *OutputError for exit 0 with too much output. One that is not answered within
// Config.CallTimeout, or as long as Patient said, is unknown.
func (m *Machine) Run(ctx context.Context, script string) ([]byte, error) {
	return about(ctx, m.cfg.Name, script, func(ctx context.Context) ([]byte, error) {
		release, err := m.Hold(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
		ctx, cancel := m.within(ctx)
		defer cancel()
		out := newCapture(m.cfg.MaxOutput)
		p, err := m.start(ctx, script, false, out)
		if err != nil {
			return nil, err
		}
		defer p.leave()
		return out.result(p.wait(ctx, "run"), m.cfg)
	})
}

// result is the output as data, and err with the output in it.
func (c *capture) result(err error, cfg Config) ([]byte, error) {
	text, cut := c.bytes()
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.stdout = text
	}
	if err == nil && cut > 0 {
		err = &OutputError{Bytes: c.count(), Limit: cfg.MaxOutput, machine: cfg.Name}
	}
	return text, err
}

// chunk is the size of a write: larger ones gain nothing, smaller ones cost.
const chunk = 256 << 10

// Stream runs a script that reads payload from its stdin. The payload is sent
// only once the script has begun, so that no shell can swallow a part of it. A call
// in which nothing moves for as long as Run waits is given up.
func (m *Machine) Stream(ctx context.Context, script string, payload io.Reader) ([]byte, error) {
	return about(ctx, m.cfg.Name, script, func(ctx context.Context) ([]byte, error) {
		return m.stream(ctx, script, payload)
	})
}

func (m *Machine) stream(ctx context.Context, script string, payload io.Reader) ([]byte, error) {
	release, err := m.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, pulse := m.pulse(ctx)
	defer pulse.stop()
	out := newCapture(m.cfg.MaxOutput)
	p, err := m.start(ctx, script, true, pulse.heard(ctx, out))
	if err != nil {
		return nil, err
	}
	defer p.l.drop(p.ch)
	sent := p.feed(ctx, pulse.reader(payload))
	text, err := out.result(p.wait(ctx, "stream"), m.cfg)
	if sent != nil && ctx.Err() == nil && !p.l.lost() {
		return text, fmt.Errorf("read what to send: %w", errors.Join(sent, err))
	}
	return text, err
}

// feed sends payload once the script asks for it and returns when no goroutine
// reads payload any more. Its error is the payload's own.
func (p *proc) feed(ctx context.Context, payload io.Reader) error {
	select {
	case <-p.out.seen:
	case <-p.exited:
		return nil
	case <-p.done:
		return nil
	case <-ctx.Done():
		return nil
	}
	stop := context.AfterFunc(ctx, p.abandon)
	defer stop()
	err := copyChunks(p.ch, payload)
	_ = p.ch.CloseWrite()
	return err
}

// abandon closes the session under a writer. One that waits for room in the
// window is freed by the other side's answer; without one, with the connection.
func (p *proc) abandon() {
	p.l.drop(p.ch)
	t := time.NewTimer(closeGrace)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
		p.l.fail(errStuckClose)
	}
}

// copyChunks stops without an error when the other side reads no more: its exit
// status says why.
func copyChunks(to io.Writer, from io.Reader) error {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if _, werr := to.Write(buf[:n]); werr != nil {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
