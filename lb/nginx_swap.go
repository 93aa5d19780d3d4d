package lb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

// tries of an act whose files or workers change between look and act.
const swapTries = 5

// Swap puts the hosts of back into rotation and takes those of out, in one edit and
// one nginx reload, and returns once every worker that takes connections was started
// after the edit. Where the flags stand as wanted and are live, nothing is done. The
// hosts of back have to be verified by the caller. Fewer than minServing serving hosts
// afterwards, or fewer than another floor says, are refused; so is anything that a person set. On every error the files
// are as before.
func (n *Nginx) Swap(ctx context.Context, act Runner, back, out []string, minServing int, also ...Floor) error {
	return n.swap(ctx, act, swapping{back: back, out: out, min: minServing, also: also, floor: len(out) > 0})
}

// MaySwap changes nothing. It returns nil when Swap would be allowed now; the marks of
// out are act's to write.
func (n *Nginx) MaySwap(ctx context.Context, act Runner, back, out []string, minServing int, also ...Floor) error {
	return n.swap(ctx, act, swapping{back: back, out: out, min: minServing, also: also, floor: true, ask: true})
}

// Claim is MaySwap of one host.
func (n *Nginx) Claim(ctx context.Context, act Runner, host string, minServing int, also ...Floor) error {
	return n.MaySwap(ctx, act, nil, []string{host}, minServing, also...)
}

// Drain is Swap of one host.
func (n *Nginx) Drain(ctx context.Context, act Runner, host string, minServing int, also ...Floor) error {
	return n.Swap(ctx, act, nil, []string{host}, minServing, also...)
}

// A swapping is what one act is to do.
type swapping struct {
	back, out []string
	min       int
	also      []Floor
	floor     bool // to be kept
	ask       bool // check only
	quiet     bool // write, and leave the reload to whoever changed the files
}

func (n *Nginx) swap(ctx context.Context, act Runner, w swapping) error {
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-n.turn }()
	var err error
	for range swapTries {
		if err = n.swapOnce(ctx, act, w); reason(err) != reasonMoved {
			return err
		}
		if !pause(ctx, n.cfg.PollEvery) {
			return context.Cause(ctx)
		}
	}
	return fault("FD-LB-NGINX-MOVED", "find out what changes nginx's files or reloads it all the time, and repeat", "nginx's files or workers changed between look and act, %d times: %v", swapTries, err)
}

// reasonMoved: what was looked at is not there any more. It stays inside.
const reasonMoved = "moved"

func (n *Nginx) swapOnce(ctx context.Context, act Runner, w swapping) error {
	s, err := n.look(ctx, lookFiles)
	if err != nil {
		return err
	}
	p, err := n.planned(s, w)
	if err != nil {
		return err
	}
	if !w.ask && len(p.puts) == 0 && !p.reload {
		n.swapped(s, w, s.live, false)
		return nil
	}
	ran, err := act.Run(ctx, n.actScript(s, w, p))
	if err != nil {
		return n.explain("changing nginx's configuration", err)
	}
	live, err := liveAfter(string(ran))
	if err != nil || w.ask {
		return err
	}
	n.swapped(s, w, live, p.reload)
	return nil
}

// A swapPlan is how the files change.
type swapPlan struct {
	puts   []put
	reload bool
	seats  string // for the floor
}

// A put is one file's change.
type put struct {
	file    *confFile
	splices []splice
}

// planned refuses what may not be done, and works out the edit.
func (n *Nginx) planned(s *nginxSnapshot, w swapping) (*swapPlan, error) {
	p := &swapPlan{}
	files := map[*confFile][]splice{}
	for _, host := range w.out {
		if err := n.outOf(s, host, w.ask, files); err != nil {
			return nil, err
		}
		p.reload = p.reload || s.pending(host)
	}
	for _, host := range w.back {
		if err := backOf(s, host, files); err != nil {
			return nil, err
		}
		p.reload = p.reload || s.pending(host)
	}
	if w.floor {
		p.seats = s.seatTable(w)
	}
	if w.ask {
		return p, nil
	}
	p.puts = s.merged(files)
	p.reload = (p.reload || len(p.puts) > 0) && !w.quiet
	if p.reload {
		return p, n.reloadable(s)
	}
	return p, nil
}

// outOf adds the flags that host lacks. Every flag with our mark counts as set by us:
// whose it is, the owner marks say.
func (n *Nginx) outOf(s *nginxSnapshot, host string, claim bool, files map[*confFile][]splice) error {
	mine := s.of(host)
	if len(mine) == 0 {
		return &RefusedError{Reason: ReasonAbsent}
	}
	for _, l := range mine {
		switch {
		case l.down && !l.ours():
			return &RefusedError{Reason: ReasonOut, Detail: l.key() + " is down in " + l.at.where()}
		case l.down && claim && !n.holds(host, l):
			return &RefusedError{Reason: ReasonOut, Detail: l.key() + " is down by flipdeploy " + l.mark.rollout}
		case !l.down:
			files[l.at.file] = append(files[l.at.file], l.takeOut(n.markOf())...)
		}
	}
	return nil
}

// holds tells whether this run took the line out, or knows that it may go on.
func (n *Nginx) holds(host string, l *serverLine) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.left[host]
	return ok || l.mark.rollout == n.rollout
}

func (n *Nginx) markOf() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rollout
}

// backOf removes our flags from host's lines.
func backOf(s *nginxSnapshot, host string, files map[*confFile][]splice) error {
	mine := s.of(host)
	if len(mine) == 0 {
		return &RefusedError{Reason: ReasonAbsent}
	}
	for _, l := range mine {
		switch {
		case l.ours():
			files[l.at.file] = append(files[l.at.file], l.putBack()...)
		case l.down:
			return foreignFlag(l)
		}
	}
	return nil
}

func foreignFlag(l *serverLine) error {
	return &RefusedError{Reason: ReasonChanged, Detail: l.key() + " is down in " + l.at.where() + ", not by flipdeploy"}
}

// merged is one put a file: two names of one file are one.
func (s *nginxSnapshot) merged(files map[*confFile][]splice) []put {
	byInode := map[string]*put{}
	for f, all := range files {
		key := cmp.Or(s.files[f.path].inode, f.path)
		p := byInode[key]
		if p == nil {
			p = &put{file: f}
			byInode[key] = p
		}
		if f.path < p.file.path {
			p.file = f
		}
		p.splices = append(p.splices, all...)
	}
	var puts []put
	for _, p := range byInode {
		p.splices = inOrder(p.splices)
		puts = append(puts, *p)
	}
	slices.SortFunc(puts, func(a, b put) int { return cmp.Compare(a.file.path, b.file.path) })
	return puts
}

// reloadable refuses a reload that would have more effect than ours.
func (n *Nginx) reloadable(s *nginxSnapshot) error {
	if len(s.foreign) > 0 {
		return pendingEdits(s.foreign)
	}
	return n.crowded(s)
}

func pendingEdits(files []string) *Fault {
	f := fault("FD-LB-NGINX-PENDING", "on the balancer: nginx -t && nginx -s reload, or undo those edits", "%s changed after nginx's last reload: a reload of ours would bring foreign edits into effect", strings.Join(files, ", "))
	f.evidence = files
	return f
}

// crowded: each reload leaves a generation of old workers, as long as any of their
// connections lives.
func (n *Nginx) crowded(s *nginxSnapshot) error {
	if len(s.old) <= n.cfg.MaxOld*max(1, len(s.live)) {
		return nil
	}
	return fault("FD-LB-NGINX-OLD-WORKERS", "see what holds them with `ss -tnp` on the balancer, or set worker_shutdown_timeout",
		"%d old nginx workers are still shutting down, beside %d: no further reload is made", len(s.old), len(s.live))
}

// seatTable tells the script who serves before and after: pool, host, flags, address.
func (s *nginxSnapshot) seatTable(w swapping) string {
	var b strings.Builder
	for _, l := range s.lines {
		if !l.listed || l.host == "" || l.backup {
			continue
		}
		after := !l.down
		if slices.Contains(w.out, l.host) {
			after = false
		} else if l.ours() && slices.Contains(w.back, l.host) {
			after = true
		}
		fmt.Fprintf(&b, "seat %s %s %s %s %s\n", l.upstream, l.host, flag(!l.down), flag(after), s.asks.addr(l.to))
	}
	return b.String()
}

// actScript checks and acts as one.
func (n *Nginx) actScript(s *nginxSnapshot, w swapping, p *swapPlan) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var live, puts, makes strings.Builder
	var sums []string
	for _, k := range s.live {
		fmt.Fprintf(&live, " %s", k)
	}
	for path := range s.conf.used {
		sums = append(sums, "sum "+s.files[path].sum+"  "+path)
	}
	slices.Sort(sums)
	for i, one := range p.puts {
		fmt.Fprintf(&puts, "%d %s %s %s\n", i, sha(one.file.text), sha(spliced(one.file.text, one.splices)), one.file.path)
		fmt.Fprintf(&makes, "fd_make_%d() {\n%s}\n", i, pieces(one.splices))
	}
	probes := ""
	if p.seats != "" {
		probes = n.probed()
	}
	return n.script(nginxProbeSh+makes.String()+nginxActSh, "FD_PID", n.pidFile(), "FD_WAS", s.master, "FD_LIVE", live.String(),
		"FD_SUMS", strings.Join(sums, "\n"), "FD_PUTS", puts.String(), "FD_RELOAD", flag(p.reload), "FD_SEATS", p.seats, "FD_MIN", strconv.Itoa(w.min), "FD_ALSO", alsoLines(w.also),
		"FD_PROBES", probes, "FD_OK", s.good.String(), "FD_LOG", n.errorLog(), "FD_ARGS", n.arguments(s.title))
}

// pieces prints a new text from pieces of the old one and what is put between them.
func pieces(all []splice) string {
	var b strings.Builder
	at := 0
	for _, s := range all {
		fmt.Fprintf(&b, "\tfd_cut %d %d\n", at, s.at-at)
		if s.text != "" {
			fmt.Fprintf(&b, "\tprintf %%s %s\n", shellescape.Quote(s.text))
		}
		at = s.at + s.cut
	}
	fmt.Fprintf(&b, "\tfd_cut %d -\n", at)
	return b.String()
}

// liveAfter are the workers that an act saw in the end.
func liveAfter(out string) ([]nginxWorker, error) {
	var l nginxLook
	done := false
	for line := range strings.Lines(out) {
		word, arg, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		done = done || word == "==" && arg == "done"
		if word == "live" {
			if err := l.worker("live", arg); err != nil {
				return nil, badNginxReply(err)
			}
		}
	}
	if !done {
		return nil, badNginxReply(errors.New("it is cut short"))
	}
	return l.live, nil
}

// swapped keeps what was left.
func (n *Nginx) swapped(s *nginxSnapshot, w swapping, live []nginxWorker, reloaded bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range w.back {
		delete(n.left, h)
	}
	since := (&nginxLook{live: live}).since()
	for _, h := range w.out {
		l, ok := n.left[h]
		if !ok || reloaded && (!s.allOurs(h) || s.pending(h)) {
			l.since = since
		}
		n.left[h] = l
	}
}

// allOurs tells whether host was out, every line by us, when it was looked at.
func (s *nginxSnapshot) allOurs(host string) bool {
	mine := s.of(host)
	return len(mine) > 0 && !slices.ContainsFunc(mine, func(l *serverLine) bool { return !l.ours() })
}
