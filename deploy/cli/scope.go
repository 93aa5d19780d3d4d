package cli

import (
	"maps"
	"path"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// words are the parts of a list with commas, as flags have it.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// scope says which hosts the run has to do with, by flags and by what could be
// reached.
func (o rolloutOptions) scope(s *session) (deploy.Scope, error) {
	c := deploy.Scope{OutToo: o.outToo, Restart: o.mode == deploy.ModeRestart}
	if o.hosts != "" {
		only, err := selected(words(o.hosts), s.order())
		if err != nil {
			return c, err
		}
		c.Only = only
	}
	missing := map[string]string{}
	for i, h := range s.hostList() {
		if err := s.unreached[i]; err != nil && !c.Leaves(h.name) {
			missing[h.name] = "skipped: " + err.Error()
		}
	}
	if len(missing) <= o.skip { // else they are faults like any other
		c.Unread = missing
	}
	return c, nil
}

// selected are the hosts that fit one of globs; each glob must fit one at least.
func selected(globs, hosts []string) (map[string]bool, error) {
	only := map[string]bool{}
	for _, g := range globs {
		fits := 0
		for _, h := range hosts {
			ok, err := path.Match(g, h)
			if err != nil {
				return nil, usage("--hosts: %q is not a pattern like web* or web[1-3]", g)
			}
			if ok {
				only[h] = true
				fits++
			}
		}
		if fits == 0 {
			return nil, usage("--hosts: %q fits no host of the inventory; there are %s", g, strings.Join(hosts, ", "))
		}
	}
	return only, nil
}

// inHand are the hosts that the run may touch: the others are not, not even with a
// fence.
func (s *session) inHand(p deploy.Plan, survey deploy.Survey) []*host {
	var in []*host
	for _, h := range p.Hosts {
		if !survey.Scope.Leaves(h.Name) && (h.Out == "" || h.InPlace) {
			in = append(in, s.hosts[h.Name])
		}
	}
	return in
}

// asked are the hosts to look at once more; of the others it is enough what was
// seen, if anything.
func (s *session) asked(before deploy.Survey, in []*host) (ask map[string]deploy.Host, seen deploy.Survey) {
	ask = map[string]deploy.Host{}
	seen = deploy.Survey{Current: maps.Clone(before.Current), Running: maps.Clone(before.Running), Scope: before.Scope}
	for _, h := range in {
		ask[h.name] = h
	}
	return ask, seen
}
