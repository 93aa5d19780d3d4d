package cli

import (
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
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

var _ = strings.Join
