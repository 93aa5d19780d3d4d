package deploy

import "testing"

func foundFleet(r Running, current string) Survey {
	return Survey{Running: map[string]Running{"web1": r}, Current: map[string]string{"web1": current},
		Seats: map[string]map[string]Seat{"edge1": {"web1": {State: StateReady, Serving: true}}}}
}

func TestWhatWasFoundIsTheWayBackOnceItIsAdopted(t *testing.T) {
	s := foundFleet(Running{Release: "adopted-01234567", Adopts: "/srv/shop/builds/1"}, "adopted-01234567")
	p, err := s.Plan(Plan{}, []string{"web1"}, func(string) string { return "v1-00000000" })
	h := p.Hosts[0]
	if err != nil || h.From != "adopted-01234567" || !h.Ran || h.Drift || h.Adopts != "/srv/shop/builds/1" || p.Previous != "adopted" {
		t.Errorf("planned %+v, previous %q: %v", h, p.Previous, err)
	}
	if got, want := staged(h, Sent{}, 0), "v1 was there; what was found is kept as adopted-01234567"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNoWayBackIsAFaultUnlessNobodyWantsOne(t *testing.T) {
	s := foundFleet(Running{Release: "?", Detail: "pid 7 runs /opt/x", NoWay: "/opt/x may not be read by deploy"}, "")
	to := func(string) string { return "v1-00000000" }
	_, err := s.Plan(Plan{}, []string{"web1"}, to)
	if CodeOf(err) != "FD-NO-WAY-BACK" || HintOf(err) != "mend that, or go on without a way back: flipdeploy rollout --no-undo" ||
		err.Error() != "web1: flipdeploy did not install what is here, and cannot come back to it: /opt/x may not be read by deploy" {
		t.Errorf("got %v, hint %q", err, HintOf(err))
	}
	p, err := s.Plan(Plan{NoUndo: true}, []string{"web1"}, to)
	if err != nil || p.Hosts[0].NoWay != "/opt/x may not be read by deploy" || !p.Hosts[0].Changes() || p.Previous != "" {
		t.Errorf("planned %+v: %v", p, err)
	}
	_, err = s.Plan(Plan{NoUndo: true}, []string{"web1"}, func(string) string { return "?" })
	if CodeOf(err) != "FD-NO-WAY-BACK" || err.Error() != "web1: what ran here before was not kept" {
		t.Errorf("back to what was not kept: %v", err)
	}
}
