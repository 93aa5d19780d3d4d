package state

import (
	"context"
	"fmt"
	"strings"
)

// Prepare returns nil once the state directory of the app stands on the
// balancer, ours to write and nobody else's, and the tools that scripts need are
// there.
func (s *Store) Prepare(ctx context.Context) error {
	_, err := s.ask(ctx, "prepare", "prepare", claimant{}, struct{ Sudo bool }{s.sudo})
	return err
}

// unprepared puts a refusal of the prepare script in words for people.
func (s *Store) unprepared(words []string) error {
	user := clean(words[1])
	switch words[0] {
	case "tools":
		tools := clean(strings.TrimSpace(strings.Join(words[1:], " ")))
		return s.fault("prepare", "missing there: "+tools, "FD-STATE-TOOLS", "install what brings "+tools+" on "+s.name)
	case "missing":
		return s.fault("prepare", s.dir+" does not exist", "FD-STATE-DIR", s.install(user))
	case "readonly":
		return s.fault("prepare", fmt.Sprintf("%s is not writable for %s", s.dir, user), "FD-STATE-DIR", s.install(user))
	}
	return s.fault("prepare", s.dir+" is writable for everybody", "FD-STATE-DIR", fmt.Sprintf("run on %s: sudo chmod o-w %s", s.name, s.dir))
}

func (s *Store) install(user string) string {
	return fmt.Sprintf("run on %s: sudo install -d -m 0755 -o %s %s", s.name, user, s.dir)
}
