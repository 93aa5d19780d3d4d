package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

func TestLargeFleetIsGroupedAndWhatIsNotWellIsListed(t *testing.T) {
	st := fleetStatus{App: "shop", LBs: []lbStatus{{"edge1", true}}}
	for i := range 2000 {
		h := hostStatus{Name: fmt.Sprintf("web%04d", i+1), Zone: "a", Reachable: true, Release: "v2-0a1b2c3d", Revision: "v2", Running: true, Healthy: true, Asked: true,
			LBs: []seatStatus{{LB: "edge1", State: deploy.StateReady, Sessions: i % 7}}}
		switch {
		case i >= 1500:
			h.Zone = "b"
			h.Release, h.Revision = "v1-ffffffff", "v1"
		case i%40 == 39:
			h.Healthy, h.LBs[0].State, h.LBs[0].Owner = false, deploy.StateMaint, "20261121-1"
			st.Problems = append(st.Problems, h.Name+": not healthy")
		}
		st.Hosts = append(st.Hosts, h)
	}
	lines := st.grouped()
	head := strings.Join(lines[:8], "\n")
	want := `shop: v2 on 1500, v1 on 500 of 2000 hosts

hosts  zone  release      running  healthy  edge1
1463   a     v2-0a1b2c3d  yes      yes      ready
500    b     v1-ffffffff  yes      yes      ready
37     a     v2-0a1b2c3d  yes      no       maint, owner 20261121-1

host     zone  release      running  healthy  edge1`
	if head != want {
		t.Errorf("got\n%s\nwant\n%s", head, want)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"\nweb0040  a     v2-0a1b2c3d  yes      no       maint, 4 sessions, owner 20261121-1\n",
		"\nand 7 more that are not well: flipdeploy status -v\n", "\n! web1200: not healthy\n! and 7 more: flipdeploy status -v",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if len(lines) != 71 || len(st.lines()) != 2041 {
		t.Errorf("%d lines, all are %d", len(lines), len(st.lines()))
	}
	if got, want := someOf(strings.Fields(strings.Repeat("web ", 120))), "web, web, web, web, web, web, web, web, web, web and 110 more"; got != want {
		t.Errorf("got %s", got)
	}
}
