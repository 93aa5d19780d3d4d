//go:build fleet

package e2e

import "testing"

// The same shop, asked through systemd: a reload hands over to a child, a restart
// stops and starts it on the drained host.
func TestTakeoverThroughSystemd(t *testing.T) {
	fresh(t)
	for _, preset := range []string{"systemd-reload", "systemd-restart"} {
		t.Run(preset, func(t *testing.T) {
			inv := edited(t, "preset = \"tableflip\"\nmethod = \"signal\"\nsignal = \"HUP\"\n", "preset = \""+preset+"\"\n")
			w := under(t, func() {
				flipdeploy(t, "rollout", "--json", "--parallel", "2", "--artifact", build(t, preset, "ok"), "--revision", preset, "-i", inv).want(t, 0, "done")
				wantVersions(t, preset)
				if preset == "systemd-restart" || whole() {
					flipdeploy(t, "rollout", "--json", "--parallel", "2", "--artifact", build(t, "bad"+preset, "dies"), "--revision", "bad", "-i", inv).want(t, 7, "rolled_back")
				}
				flipdeploy(t, "rollback", "--json", "--parallel", "2", "-i", inv).want(t, 0, "done")
			})
			w.none(t, 2, 2)
			wantVersions(t, "v0")
			noneLeft(t)
		})
	}
}
