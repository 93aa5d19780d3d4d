package deploy

import "testing"

func TestAHostChangedInPlaceHalfWayIsGoneOnWith(t *testing.T) {
	plan := Plan{Rollout: "r", Hosts: []PlannedHost{{Name: "web1", From: "v1", To: "v2", Ran: true, Out: "maint", InPlace: true}}}
	for _, c := range []struct {
		current, runs string
		asked         bool
		want          Phase
	}{
		{"v1", "v1", true, Staged},
		{"v2", "v1", true, Staged}, // flipped, not reloaded
		{"v2", "v2", true, LeftOut},
		{"", "", false, Unknown},
	} {
		s := Survey{Current: map[string]string{}, Running: map[string]Running{}, Seats: map[string]map[string]Seat{"edge1": {"web1": {State: StateMaint}}}}
		if c.asked {
			s.Current["web1"], s.Running["web1"] = c.current, Running{Release: c.runs}
		}
		if got := s.Onward(plan, nil)[0].Phase; got != c.want {
			t.Errorf("current %s, runs %s: %s, want %s", c.current, c.runs, got, c.want)
		}
	}
}

func TestARestartIsGoneOnWithWhereItStopped(t *testing.T) {
	plan := Plan{Rollout: "r", Mode: ModeRestart, Hosts: []PlannedHost{
		{Name: "web1", From: "v1", To: "v1", Ran: true, Again: true}, {Name: "web2", From: "v1", To: "v1", Ran: true, Again: true}}}
	s := Survey{Current: map[string]string{"web1": "v1", "web2": "v1"},
		Running: map[string]Running{"web1": {Release: "v1"}, "web2": {Release: "v1"}},
		Seats:   map[string]map[string]Seat{"edge1": {"web1": {State: StateReady}, "web2": {State: StateReady}}}}
	views := s.Onward(plan, map[string]bool{"web1": true})
	if views[0].Phase != Done || views[1].Phase != Staged {
		t.Errorf("%+v", views)
	}
}
