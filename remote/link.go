package remote

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// A link is one live connection.
type link struct {
	name   string // of the machine
	client *ssh.Client
	conn   *wire
	output int
	answer time.Duration // as Answer has it
	slots  *slots

	dead  chan struct{} // closed once the connection is given up
	once  sync.Once
	cause error // why, valid once dead is closed

	mu      sync.Mutex
	waiting bool           // nothing more is counted in running
	running sync.WaitGroup // everything that was started for this connection
	eager   atomic.Bool    // a script was sent: with the first session sshd switches Nagle off
	idle    chan *shell    // that wait for their next scripts
}

func newLink(name string, c *ssh.Client, conn *wire, cfg Config) *link {
	l := &link{
		name:   name,
		client: c,
		conn:   conn,
		output: cfg.MaxOutput,
		answer: conn.quickest(),
		slots:  newSlots(),
		dead:   make(chan struct{}),
		idle:   make(chan *shell, idleShells),
	}
	l.spawn(l.watchEnd)
	l.spawn(func() { l.ping(cfg.KeepAlive) })
	l.spawn(func() { l.watchSilence(cfg.KeepAlive, cfg.KeepAliveMisses) })
	return l
}

// spawn runs f, which ends at the latest with the connection: the library's calls
// know no other end.
func (l *link) spawn(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting {
		go f() // the connection is closed: f ends at once
		return
	}
	l.running.Go(f)
}

// fail gives the connection up. Every call that waits on it ends.
func (l *link) fail(cause error) {
	l.once.Do(func() {
		l.cause = cause
		close(l.dead)
		_ = l.conn.Close()
	})
}

// wait returns once nothing of a failed link runs any more.
func (l *link) wait() {
	l.mu.Lock()
	l.waiting = true
	l.mu.Unlock()
	l.running.Wait()
	_ = l.client.Wait()
}

func (l *link) lost() bool { return isClosed(l.dead) }

// lostSoon is lost, a moment later: when a connection ends its sessions end first,
// and the next call must not take it for a live one.
func (l *link) lostSoon() bool {
	t := time.NewTimer(50 * time.Millisecond)
	defer t.Stop()
	select {
	case <-l.dead:
		return true
	case <-t.C:
		return false
	}
}

func (l *link) watchEnd() {
	err := l.client.Wait()
	l.fail(fmt.Errorf("the connection ended: %w", err))
}

// ping asks for an answer once an interval. It blocks where the peer is silent;
// watchSilence sees that and closes the connection.
func (l *link) ping(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.dead:
			return
		case <-tick.C:
		}
		if _, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			return
		}
	}
}

// watchSilence counts ticks, not time: a runner that was stopped and goes on
// gives the peer its chance to answer first.
func (l *link) watchSilence(every time.Duration, misses int) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var heard int64
	for missed := 0; missed <= misses; {
		select {
		case <-l.dead:
			return
		case <-tick.C:
		}
		if now := l.conn.received.Load(); now != heard {
			heard, missed = now, 0
			continue
		}
		missed++
	}
	l.fail(fmt.Errorf("no answer for %s", time.Duration(misses)*every))
}

// drop closes a channel whose caller has gone. Nobody waits for that: behind what other
// sessions send over a slow link, or to a busy machine, it takes as long as that does.
func (l *link) drop(ch ssh.Channel) {
	l.spawn(func() { _ = ch.Close() })
}

// A wire counts what comes in.
type wire struct {
	net.Conn
	received atomic.Int64
	eager    atomic.Bool // others' connections are carried: no session has sshd send at once

	mu      sync.Mutex
	first   []byte // what was said before the handshake, at most 255 bytes
	asked   time.Time
	answers [3]time.Duration // how long the last ones took
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.asked = time.Now()
	w.mu.Unlock()
	return w.Conn.Write(p)
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n <= 0 {
		return n, err
	}
	w.heard()
	total := w.received.Add(int64(n))
	if total <= 512 {
		w.remember(p[:n])
	}
	if total <= 64<<10 || w.eager.Load() {
		quickAck(w.Conn)
	}
	return n, err
}

// heard times an answer.
func (w *wire) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.asked.IsZero() {
		w.answers = [3]time.Duration{w.answers[1], w.answers[2], time.Since(w.asked)}
		w.asked = time.Time{}
	}
}

// quickest is the shortest of the last three answers; 0: there were not so many. Of those none
// comes unasked: no login, this key, its signature.
func (w *wire) quickest() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return min(w.answers[0], w.answers[1], w.answers[2])
}

func (w *wire) remember(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first = append(w.first, p[:min(len(p), 255-len(w.first))]...)
}

func (w *wire) greeting() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.first)
}
