package remote

import (
	"context"
	"io"
	"time"
)

// spares is how many shells wait: a script that comes right after the one before finds a
// shell that was started before that one.
const spares = 2

// alone is how many scripts go to a machine before it has spares: most commands ask no more.
const alone = 3

// prepare starts shells for the scripts to come, while one works: they have to wait for
// one round trip instead of three, and not for the account's start files. Until then a
// shell reads its stdin and does nothing; it ends with the connection. Once one cannot be
// had, or ends while it waits, there are none any more; and none where the machine is near.
func (l *link) prepare() {
	for !l.spareless.Load() && l.trip.Load() >= int64(l.ahead) {
		if l.sparing.Add(1) > spares || !l.slots.spare() {
			l.sparing.Add(-1)
			return
		}
		l.spawn(l.addSpare)
	}
}

func (l *link) addSpare() {
	p, err := l.newProc(context.Background(), nil)
	if err != nil || p.sure(context.Background(), p.exec) != nil {
		l.spareless.Store(true)
		return
	}
	p.shell = true
	l.spare <- p
	if l.spareless.Load() { // somebody may be waiting for its session by now
		if p := l.takeSpare(nil); p != nil {
			l.drop(p.ch)
		}
	}
}

// opened notes how long a session took to open.
func (l *link) opened(took time.Duration) {
	if best := l.trip.Load(); best == 0 || int64(took) < best {
		l.trip.Store(int64(took))
	}
}

// takeSpare is a shell that waits, nil where none does. out gets its stdout.
func (l *link) takeSpare(out io.Writer) *proc {
	for {
		select {
		case p := <-l.spare:
			l.sparing.Add(-1)
			if !isClosed(p.done) && !p.hasExited() {
				p.out.pass(out)
				return p
			}
			l.spareless.Store(true)
		default:
			return nil
		}
	}
}

// ran returns once the script has begun; false when it certainly did not, because the
// shell had ended while it waited.
func (p *proc) ran(ctx context.Context) bool {
	select {
	case <-p.out.seen:
	case <-p.done:
	case <-p.exited:
		p.collect(ctx)
	case <-ctx.Done():
		return true
	}
	if !p.out.started() && p.hasExited() {
		p.l.spareless.Store(true)
		return false
	}
	return true
}
