package deploy

import "testing"

// An explainingLB says why a host is out as it is.
type explainingLB struct {
	Balancer
	name, why string
}

func (b explainingLB) Name() string          { return b.name }
func (b explainingLB) Emptied(string) string { return b.why }

func TestADrainedHostSaysWhyDrainIsEnough(t *testing.T) {
	s := newSim(1, 1, v1)
	lb := func(name, why string) Balancer { return explainingLB{s.lbs[0], name, why} }
	for words, lbs := range map[string][]Balancer{
		"no request in flight":                               {s.lbs[0]},
		"no request in flight; no maint: a":                  {lb("edge1", "no maint: a"), lb("edge2", "no maint: a")},
		"no request in flight; edge1: no maint: a":           {lb("edge1", "no maint: a"), lb("edge2", "")},
		"no request in flight; edge1: no maint: a; edge2: b": {lb("edge1", "no maint: a"), lb("edge2", "b")},
	} {
		want(t, "words", (&life{host: s.hosts["web1"], lbs: lbs}).emptiedWords(), words)
	}
}
