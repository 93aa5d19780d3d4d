package cli

import (
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// What a review of resume and abandon suspected.

// A restart that was half abandoned is gone on with: a host that abandon put back got
// no new process.
func TestWhatAbandonPutBackWasNotRestarted(t *testing.T) {
	j := state.Journal{Records: []deploy.Record{
		{Kind: "plan", Plan: &deploy.Plan{Mode: deploy.ModeRestart}},
		{Kind: "outcome", Host: "web1", Act: deploy.Done},
		{Kind: "outcome", Host: "web3", Act: deploy.Failed},
		{Kind: "abandon"},
		{Kind: "outcome", Host: "web2", Act: deploy.Done, Detail: "abandoned"},
		{Kind: "outcome", Host: "web3", Act: deploy.Done, Detail: "abandoned"},
	}}
	s := j.Standing()
	if !s.Done["web1"] || s.Done["web2"] || s.Done["web3"] || !s.Failed["web3"] {
		t.Errorf("%+v", s)
	}
	j.Records = append(j.Records, deploy.Record{Kind: "resume"}, deploy.Record{Kind: "outcome", Host: "web2", Act: deploy.Done})
	if s := j.Standing(); !s.Done["web2"] {
		t.Errorf("gone on with: %+v", s)
	}
}

// A release that is gone is found before the first drain on the way back, too.
func TestWhatAnUnfinishedRolloutNeedsOnItsHosts(t *testing.T) {
	plan := deploy.Plan{Hosts: []deploy.PlannedHost{
		{Name: "web1", From: "v1-1", To: "v2-2", Ran: true}, {Name: "web2", From: "v1-1", To: "v2-2", Ran: true},
		{Name: "web3", From: "v1-1", To: "v2-2", Ran: true}, {Name: "web4", From: "", To: "v2-2"}}}
	start := []deploy.HostView{{Name: "web1", Phase: deploy.Done, Changes: true, Changed: true},
		{Name: "web2", Phase: deploy.Failed, Changes: true, Changed: true}, {Name: "web3", Phase: deploy.Staged, Changes: true},
		{Name: "web4", Phase: deploy.Done, Changes: true, Changed: true, Fresh: true}}
	for _, c := range []struct {
		dir    deploy.Direction
		turned bool
		want   string
	}{
		{deploy.Forward, false, "web2=v2-2 web3=v2-2"},
		{deploy.Forward, true, "web1=v1-1 web2=v1-1"},
		{deploy.Back, false, "web1=v1-1 web2=v1-1"},
		{deploy.AsIs, false, ""},
	} {
		todo, gone := toStage(&deploy.Rollout{Plan: plan, Start: start, Direction: c.dir, Turned: c.turned})
		var got []string
		for _, h := range todo {
			if !h.Changes() {
				t.Errorf("%s would be left out", h.Name)
			}
			got = append(got, h.Name+"="+h.To)
		}
		if strings.Join(got, " ") != c.want || strings.Contains(gone, "--to") {
			t.Errorf("%v %v: %v; %s", c.dir, c.turned, got, gone)
		}
	}
}

func TestARollbackOfAnUnfinishedRolloutTakesTheNumbersThatWereGiven(t *testing.T) {
	p := deploy.Plan{Parallel: 1, MinServing: 3, Hosts: make([]deploy.PlannedHost, 4)}
	r := inventory.Rollout{Parallel: inventory.Amount{N: 2}, MinServing: inventory.Amount{N: 50, Percent: true}}
	rolloutOptions{}.instead(&p, r)
	if p.Parallel != 1 || p.MinServing != 3 {
		t.Errorf("none given: %+v", p)
	}
	rolloutOptions{parallel: "2", minServing: "50%"}.instead(&p, r)
	if p.Parallel != 2 || p.MinServing != 2 {
		t.Errorf("given: %+v", p)
	}
	rolloutOptions{downtime: true}.instead(&p, r)
	if p.Parallel != 1 || p.MinServing != 0 {
		t.Errorf("downtime: %+v", p)
	}
}
