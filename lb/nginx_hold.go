package lb

import (
	"context"
	"fmt"
)

// nginxLeft is what we left a host as.
type nginxLeft struct {
	since int64 // ticks: workers started before may still send to it
	again bool  // our flag was set again once
}

// Hold returns nil while host stands as we left it. A foreign reload alone changes
// nothing: the flag is in the file. Where our flag is gone without a trace, as a
// configuration manager leaves a file, it is set again (again is true), once; the
// second time, and where a person changed the line, the host is taken over.
func (n *Nginx) Hold(ctx context.Context, act Runner, host string) (again bool, err error) {
	s, err := n.look(ctx, lookFiles)
	if err != nil {
		return false, err
	}
	return n.hold(ctx, act, host, s)
}

func (n *Nginx) hold(ctx context.Context, act Runner, host string, s *nginxSnapshot) (bool, error) {
	l, err := n.standing(host, s)
	if err != nil {
		return false, err
	}
	gone, err := s.missing(host)
	if err != nil {
		return false, err
	}
	// A flag that may not be live is like one that is gone: a crash left it, or a reload
	// came between.
	if gone == nil && (!s.pending(host) || len(s.foreign) > 0) {
		return false, nil
	}
	if gone != nil && l.again {
		return false, &RefusedError{Reason: ReasonChanged, Detail: fmt.Sprintf("the flag was removed again from %s in %s", gone.key(), gone.at.where())}
	}
	if gone == nil {
		return false, n.swap(ctx, act, swapping{out: []string{host}})
	}
	// Foreign edits that nobody has reloaded yet are not brought into effect: our flag is
	// in the file when they are, and nginx still runs with it.
	err = n.swap(ctx, act, swapping{out: []string{host}, quiet: len(s.foreign) > 0})
	if err == nil {
		n.setAgain(host)
	}
	return err == nil, err
}

func (n *Nginx) setAgain(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.left[host]
	l.again = true
	n.left[host] = l
}

// standing is what we left host as. A host that is out by our mark is taken as ours:
// the caller's owner mark says so. All workers from before are then suspects.
func (n *Nginx) standing(host string, s *nginxSnapshot) (nginxLeft, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l, ok := n.left[host]; ok {
		return l, nil
	}
	mine := s.of(host)
	switch {
	case len(mine) == 0:
		return nginxLeft{}, &RefusedError{Reason: ReasonAbsent}
	case !s.allOurs(host):
		return nginxLeft{}, &RefusedError{Reason: ReasonChanged, Detail: mine[0].key() + " is not down by flipdeploy"}
	}
	l := nginxLeft{since: s.since()}
	n.left[host] = l
	return l, nil
}

// missing is a line of host without our flag, nil when all have it; a refusal where a
// person's hand is seen.
func (s *nginxSnapshot) missing(host string) (*serverLine, error) {
	var gone *serverLine
	mine := s.of(host)
	if len(mine) == 0 {
		return nil, &RefusedError{Reason: ReasonAbsent}
	}
	for _, l := range mine {
		switch {
		case l.ours():
		case l.down:
			return nil, foreignFlag(l)
		case l.mark.orphan:
			return nil, &RefusedError{Reason: ReasonChanged, Detail: l.key() + " is up in " + l.at.where() + ", its mark was left"}
		default:
			gone = l
		}
	}
	return gone, nil
}
