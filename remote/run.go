package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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
// or an *OutputError for exit 0 with too much output. One that was sent and is not answered
// within Config.CallTimeout, or as long as Patient said, is unknown.
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
	stop := context.AfterFunc(ctx, func() { p.l.drop(p.ch) }) // a payload may be long in coming
	defer stop()
	err := p.copyChunks(ctx, payload)
	if ctx.Err() == nil {
		p.does(ctx, p.ch.CloseWrite)
	}
	return err
}

// copyChunks stops without an error when ctx ends or the other side reads no more: its
// exit status says why.
func (p *proc) copyChunks(ctx context.Context, from io.Reader) error {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		written := p.does(ctx, func() error { _, err := p.ch.Write(buf[:n]); return err })
		switch {
		case !written, errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// does tells whether the library did so, before ctx ended. A write that waits for room in
// the window is left behind then: the end of the session frees it, however long the script
// takes, and others need the connection.
func (p *proc) does(ctx context.Context, what func() error) bool {
	result := make(chan error, 1)
	p.l.spawn(func() { result <- what() })
	select {
	case err := <-result:
		return err == nil
	case <-ctx.Done():
		return false
	}
}
