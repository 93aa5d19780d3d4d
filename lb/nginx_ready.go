package lb

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Ready puts host back once it answered a probe from the balancer's machine, and
// returns once every worker that takes connections was started with it in rotation.
// Foreign edits that nginx has not read are waited for. When time is up the host is
// out as before.
func (n *Nginx) Ready(ctx context.Context, act Runner, host string, say func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.ReadyTimeout)
	defer cancel()
	r := &nginxRise{n: n, act: act, host: host, say: say, since: time.Now()}
	done, err := until(ctx, n.cfg.PollEvery, r.step)
	if done || err != nil {
		return err
	}
	return r.late(ctx)
}

// A nginxRise is one host on its way back.
type nginxRise struct {
	n        *Nginx
	act      Runner
	host     string
	say      func(string)
	since    time.Time
	told     time.Time
	brokenAt time.Time
	last     *nginxSnapshot
	waits    error // what is in the way, beside probes: foreign edits, a machine that does not answer
}

func (r *nginxRise) step(ctx context.Context) (done bool, err error) {
	asked := time.Now()
	s, err := r.n.look(ctx, lookAll)
	if err != nil {
		return false, r.broken(ctx, asked, err)
	}
	r.brokenAt, r.last = time.Time{}, s
	if err := s.returns(r.host); err != nil {
		return false, err
	}
	for _, l := range s.of(r.host) {
		if !s.wellAt(l) {
			r.waits = nil
			r.tell(s.words(l))
			return false, nil
		}
	}
	// One that the deadline cuts short says nothing: what was in the way before still is.
	err = r.n.Swap(ctx, r.act, []string{r.host}, nil, 0)
	if codeIs(err, "FD-LB-NGINX-PENDING") {
		r.waits = err
		r.tell(err.Error())
		return false, nil
	}
	return err == nil, err
}

// returns refuses a host that is out by a person, or absent.
func (s *nginxSnapshot) returns(host string) error { return backOf(s, host, map[*confFile][]splice{}) }

func (r *nginxRise) broken(ctx context.Context, asked time.Time, err error) error {
	if r.brokenAt.IsZero() {
		r.brokenAt = time.Now()
	}
	if cutShort(ctx, asked) {
		return err
	}
	if r.waits == nil || ctx.Err() == nil { // at the end, what was in the way before still is
		r.waits = err
	}
	if time.Since(r.brokenAt) < patience {
		return nil
	}
	return err
}

func (r *nginxRise) tell(words string) {
	if time.Since(r.told) < time.Second {
		return
	}
	r.told = time.Now()
	r.say(words)
}

// late is the error when nothing could be put back in time.
func (r *nginxRise) late(ctx context.Context) error {
	if r.waits != nil {
		return r.waits
	}
	f := fault("FD-LB-READY-TIMEOUT", "ask it by hand, from the balancer: curl -i http://BACKEND"+r.n.cfg.Probe.Path, "not well, asked from the balancer, after %s", rounded(time.Since(r.since)))
	f.cause = context.Cause(ctx)
	if errors.Is(f.cause, context.DeadlineExceeded) {
		f.cause = nil
	}
	if r.last != nil {
		for _, l := range r.last.of(r.host) {
			f.evidence = append(f.evidence, r.last.asks.addr(l.to)+": "+r.last.answer(l))
		}
	}
	return f
}

func (s *nginxSnapshot) answer(l *serverLine) string {
	switch said := s.said(l); {
	case said == "":
		return "no answer"
	case said[0] == '-':
		return strings.TrimPrefix(said, "- ")
	case s.asks.Path != "":
		return "GET " + s.asks.Path + " answered " + said
	default:
		return said
	}
}

// GiveBack puts a host that was taken out and not touched since back as it was found,
// at once and unasked. One that we did not take out, or that is back, is left alone;
// one that a person changed is refused.
func (n *Nginx) GiveBack(ctx context.Context, act Runner, host string) error {
	s, err := n.look(ctx, lookFiles)
	if err != nil {
		return err
	}
	_, held := n.leftOf(host)
	ours := false
	for _, l := range s.of(host) {
		ours = ours || l.ours()
	}
	if !held && !ours {
		return nil
	}
	return n.Swap(ctx, act, []string{host}, nil, 0)
}
