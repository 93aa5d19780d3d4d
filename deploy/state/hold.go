package state

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"
)

// A hold is the lock on one balancer: a shell there that dies without us.
type hold struct {
	store *Store
	shell Session
	lines chan string   // what it says; closed when it has ended
	end   chan struct{} // closed when we want to leave
	notes chan string
	once  sync.Once
	close context.CancelFunc
	wg    sync.WaitGroup
	write sync.Mutex
}

const openWait = 20 * time.Second

// Take returns the lock on one balancer, just got.
func (s *Store) Take(ctx context.Context, h Holder, t Terms) (Hold, error) {
	if s.bad != nil {
		return nil, s.fault("lock", s.bad.Error(), "FD-STATE-NAME", hintName)
	}
	p := s.page(struct {
		Holder   string
		Silence  int
		Override bool
	}{h.Line(), int(math.Ceil(t.Silence.Seconds())), t.OverrideFreeze})
	// The shell must not end with ctx once it holds, but must while it does not.
	open, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	shell, err := s.open.Open(open, render("lease", p))
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%s: state: lock: %w", s.name, err)
	}
	g := &hold{store: s, shell: shell, lines: make(chan string), end: make(chan struct{}), notes: make(chan string, 1), close: cancel}
	g.wg.Go(g.listen)
	if err := g.answer(open, p.Token); err != nil {
		g.HangUp()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return g, nil
}

// listen passes on what the shell says until it has ended or we left.
func (g *hold) listen() {
	defer close(g.lines)
	in := bufio.NewScanner(io.Reader(g.shell))
	for in.Scan() {
		select {
		case g.lines <- in.Text():
		case <-g.end:
		}
	}
}

// answer reads whether the shell got the lock.
func (g *hold) answer(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	for {
		select {
		case line, ok := <-g.lines:
			if !ok {
				return g.store.fault("lock", "the remote shell ended before it had the lock", "FD-STATE-ANSWER", "run \"flipdeploy doctor\"")
			}
			if words, ours := strings.CutPrefix(line, token+" "); ours {
				return g.store.got(words)
			}
		case <-ctx.Done():
			return g.store.fault("lock", fmt.Sprintf("no answer within %s", openWait), "FD-STATE-ANSWER", "run \"flipdeploy doctor\"")
		}
	}
}

// got understands the first words of the shell.
func (s *Store) got(words string) error {
	what, rest, _ := strings.Cut(words, " ")
	switch what {
	case "held":
		return nil
	case "holder":
		return &HeldError{App: s.app, Balancer: s.name, Holder: ReadHolder(rest)}
	case "store":
		return s.moved(rest)
	case "freeze":
		return &FrozenError{App: s.app, Balancer: s.name, Freeze: readFreeze(rest)}
	}
	return s.fault("lock", s.dir+"/"+s.app+"/lease cannot be opened", "FD-STATE-DIR", "run \"flipdeploy doctor\"")
}

// Beat keeps the lock and returns when it is lost, which it tells, or left. What
// counts is when the last answered beat was *sent*: the machine keeps the lock at
// least for the silence from then on. A watchdog of its own ends the work even
// while a write to a dead connection blocks.
func (g *hold) Beat(t Terms, lost context.CancelCauseFunc, paused func()) {
	lose := func(why string) { lost(&LostError{Balancer: g.store.name, Why: why}) }
	silent := func() { lose(fmt.Sprintf("no answer for %s", t.Limit)) }
	watchdog := time.AfterFunc(t.Limit, silent)
	defer watchdog.Stop()
	for line := "beat"; ; {
		sent := time.Now()
		if err := g.say(line); err != nil && !g.left() {
			lose("the connection ended: " + err.Error())
			return
		}
		select {
		case <-g.end:
			return
		case got, ok := <-g.lines:
			if !ok {
				lose("the remote shell ended")
				return
			}
			if strings.TrimSpace(got) == "P" {
				paused()
			}
		}
		if Late(sent, t.Limit) {
			silent() // this machine slept meanwhile: timers did too
			return
		}
		watchdog.Reset(t.Limit - time.Since(sent))
		var ok bool
		if line, ok = g.next(t.Beat); !ok {
			if !g.left() {
				lose("the remote shell ended")
			}
			return
		}
	}
}

func (g *hold) say(line string) error {
	g.write.Lock()
	defer g.write.Unlock()
	_, err := io.WriteString(g.shell, line+"\n")
	return err
}

// Late asks the wall clock too: the other one stands still while a laptop sleeps.
func Late(since time.Time, limit time.Duration) bool {
	return time.Since(since) > limit || time.Now().Round(0).Sub(since.Round(0)) > limit
}

// next waits for the time of the next beat, or for something to say with it.
func (g *hold) next(every time.Duration) (string, bool) {
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return "beat", true
		case n := <-g.notes:
			return "note " + n, true
		case <-g.end:
			return "", false
		case _, ok := <-g.lines:
			if !ok {
				return "", false
			}
		}
	}
}

// Note leaves a line for the next beat, in place of one not sent yet.
func (g *hold) Note(h Holder) {
	for line := h.Line(); ; {
		select {
		case g.notes <- line:
			return
		default:
		}
		select {
		case <-g.notes:
		default:
		}
	}
}

func (g *hold) left() bool {
	select {
	case <-g.end:
		return true
	default:
		return false
	}
}

const leaveWait = 2 * time.Second

// Leave asks the shell to end, and ends the session once it did or did not answer.
func (g *hold) Leave() {
	g.once.Do(func() { close(g.end) })
	ended := make(chan struct{})
	var asked sync.WaitGroup
	asked.Go(func() {
		if g.say("leave") == nil {
			g.wg.Wait()
		}
		close(ended)
	})
	timer := time.NewTimer(leaveWait)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
	g.HangUp()
	asked.Wait()
}

// HangUp ends the session and everything of ours that listens to it.
func (g *hold) HangUp() {
	g.once.Do(func() { close(g.end) })
	_ = g.shell.Close() // it has ended, or we could do nothing about it
	g.close()
	g.wg.Wait()
}
