package remote

import (
	"context"

	"golang.org/x/crypto/ssh"
)

type opened struct {
	ch   ssh.Channel
	reqs <-chan *ssh.Request
	err  error
}

// openChannel returns an open channel, or calls unopened once there is none and
// will be none. An open that is under way cannot be called back: when ctx ends
// first, it is closed as soon as the answer comes.
func (l *link) openChannel(ctx context.Context, kind string, payload []byte, unopened func()) (ssh.Channel, <-chan *ssh.Request, error) {
	answer := make(chan opened)
	gone := make(chan struct{})
	l.spawn(func() { l.askFor(kind, payload, answer, gone, unopened) })
	select {
	case o := <-answer:
		return o.ch, o.reqs, o.err
	case <-ctx.Done():
		close(gone)
		return nil, nil, context.Cause(ctx)
	case <-l.dead:
		close(gone)
		return nil, nil, l.cause
	}
}

func (l *link) askFor(kind string, payload []byte, answer chan<- opened, gone <-chan struct{}, unopened func()) {
	ch, reqs, err := l.client.OpenChannel(kind, payload)
	if err != nil {
		unopened()
	}
	select {
	case answer <- opened{ch, reqs, err}:
	case <-gone:
		if err == nil {
			l.drop(ch)
			ssh.DiscardRequests(reqs)
			unopened()
		}
	}
}
