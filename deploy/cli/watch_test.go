package cli

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

func seat(s deploy.State, sessions int) []seatStatus {
	return []seatStatus{{LB: "edge1", State: s, Sessions: sessions}}
}

// aStatus is two hosts that are well.
func aStatus() fleetStatus {
	return fleetStatus{App: "shop", LBs: []lbStatus{{"edge1", true}}, Hosts: []hostStatus{
		{Name: "web1", Reachable: true, Release: "v1-1", Revision: "v1", Running: true, Healthy: true, Asked: true, LBs: seat(deploy.StateReady, 0)},
		{Name: "web2", Reachable: true, Release: "v1-1", Revision: "v1", Running: true, Healthy: true, Asked: true, LBs: seat(deploy.StateReady, 0)}}}
}

// watched is what stdout has when the fleet was looked at once for each change, which
// took a while, and how long that took.
func watched(t *testing.T, json bool, took time.Duration, changes ...func(*fleetStatus)) (text string, lasted time.Duration) {
	t.Helper()
	out := file(t, "stdout")
	defer out.Close()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		a := &asking{x: &program{env: Env{Stdout: out, Getenv: os.Getenv}}, session: &session{getenv: os.Getenv}, json: json}
		began, i := time.Now(), 0
		outcome, err := a.watch(ctx, func() fleetStatus {
			st := aStatus()
			if i == len(changes) {
				cancel() // a person's INT, in the middle of a look
				return st
			}
			time.Sleep(took)
			st.Time = time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC)
			changes[i](&st)
			i++
			return st
		})
		lasted = time.Since(began)
		if outcome != deploy.OutcomeDone || err != nil {
			t.Errorf("%s, %v", outcome, err)
		}
	})
	return read(t, out.Name()), lasted
}

func asItWas(*fleetStatus) {}

func TestAWatchThatNobodySitsAtTellsWhatChanges(t *testing.T) {
	got, _ := watched(t, false, 0,
		asItWas,
		asItWas,
		func(st *fleetStatus) { st.Hosts[0].LBs = seat(deploy.StateReady, 7) }, // requests come and go
		func(st *fleetStatus) {
			st.Lock = &state.Holder{User: "alice", Rollout: "r1"}
			st.Hosts[1].LBs = seat(deploy.StateDrain, 3)
			st.Hosts[0].Healthy = false
		},
		func(st *fleetStatus) { // the balancer cannot be asked for a moment
			st.Problems = []string{"edge1: dial: connection refused"}
			st.LBs[0].Reachable = false
			for i := range st.Hosts {
				st.Hosts[i].LBs, st.Hosts[i].Asked, st.Hosts[i].Healthy = seat(deploy.StateUnknown, 0), false, false
			}
		},
		asItWas,
	)
	const want = `shop: v1 on 2 of 2 hosts

host  release  running  healthy  edge1
web1  v1-1     yes      yes      ready
web2  v1-1     yes      yes      ready
03:04:03  web1: healthy yes, now no
03:04:03  web2: edge1 ready, now drain
03:04:03  locked nothing, now by alice, rollout r1
03:04:04  edge1: trouble nothing, now dial: connection refused
03:04:04  web1: edge1 ready, now unknown
03:04:04  web1: healthy no, now ?
03:04:04  web2: edge1 drain, now unknown
03:04:04  web2: healthy yes, now ?
03:04:04  locked by alice, rollout r1, now nothing
03:04:05  edge1: trouble dial: connection refused, now nothing
03:04:05  web1: edge1 unknown, now ready
03:04:05  web1: healthy ?, now yes
03:04:05  web2: edge1 unknown, now ready
03:04:05  web2: healthy ?, now yes
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestAProgramThatWatchesGetsEachAnswer(t *testing.T) {
	got, _ := watched(t, true, 0, asItWas, asItWas, asItWas)
	if n := strings.Count(got, `{"app":"shop"`); n != 3 || strings.Count(got, "\n") != 3 {
		t.Errorf("%d objects: %s", n, got)
	}
}

// A fleet that answers slowly is not asked again at once.
func TestAWatchedFleetHasRest(t *testing.T) {
	for _, took := range []time.Duration{0, time.Second, 15 * time.Second} {
		if _, lasted := watched(t, true, took, asItWas, asItWas, asItWas); lasted != 3*(took+watchEvery) {
			t.Errorf("three looks of %s took %s", took, lasted)
		}
	}
}
