package cli

import (
	"fmt"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
)

// A percentage guards each zone, whoever takes a host out.
func TestByHandAPercentageIsOfEachZone(t *testing.T) {
	inv := &inventory.Inventory{}
	for i, zone := range []string{"a", "a", "b", "b", "b", "b"} {
		inv.Hosts = append(inv.Hosts, inventory.Host{Machine: inventory.Machine{Name: fmt.Sprint("web", i+1)}, Zone: zone})
	}
	for min, want := range map[inventory.Amount]string{
		{N: 50, Percent: true}: "3 true [{a 0 1} {b 0 2}]",
		{N: 2}:                 "2 false []",
		{}:                     "1 false []",
	} {
		inv.Rollout.MinServing = min
		p := handOptions{hosts: []string{"web1"}}.plan(&session{inv: inv}, deploy.Survey{})
		if got := fmt.Sprint(p.MinServing, p.EachZone, p.Zones); got != want {
			t.Errorf("%+v: got %s, want %s", min, got, want)
		}
	}
}
