//go:build fleet

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// asFound is what a hand left on a host and what runs there: the link's text, the
// bytes at every path, and the program of the serving process itself.
const asFound = `cd /srv/shop || exit
readlink current || echo "no link"
find . -type f ! -path './releases/*' ! -path './.flipdeploy/*' -exec sha256sum {} + | sort -k2
pid=$(systemctl show -p MainPID --value shop)
sha256sum <"/proc/$pid/exe"
systemctl is-active shop`

// byHand installs version on every host without flipdeploy, and tells how they stand.
func byHand(t *testing.T, version, how string) (found []string) {
	t.Helper()
	fresh(t)
	mustVerb(t, "byhand", version, how)
	t.Cleanup(func() { mustVerb(t, "byhand", "off"); fresh(t) })
	return standing(t)
}

func standing(t *testing.T) (all []string) {
	t.Helper()
	for _, h := range webs {
		all = append(all, mustVerb(t, "exec", h, "sh", "-c", asFound))
	}
	return all
}

func wantAsFound(t *testing.T, when string, found []string) {
	t.Helper()
	for i, now := range standing(t) {
		if now != found[i] {
			t.Errorf("%s: %s stands otherwise than it was found:\n%s\nwas\n%s", when, webs[i], now, found[i])
		}
	}
}

// replaced is the inventory for a binary that no link leads to.
func replaced(t *testing.T) string {
	t.Helper()
	return edited(t, "[reload]\n", "[reload]\ninstall = \"replace\"\nbinary = \"bin/shop\"\n")
}

// adopted takes a fleet that was installed by hand forward, lets a bad release fail on
// it, and goes back to what was found, under load; in a whole run a second time, from a
// later release.
func adopted(t *testing.T, found []string, more ...string) {
	t.Helper()
	w := under(t, func() {
		bad := rollout(t, "bad", "unhealthy", more...).want(t, 7, "rolled_back")
		wants(t, "code", fmt.Sprint(bad.result["code"]), "FD-UNHEALTHY")
		wantAsFound(t, "after a bad first release", found)

		first := rollout(t, "v1", "ok", more...).want(t, 0, "done")
		wantVersions(t, "v1")
		wants(t, "previous", fmt.Sprint(first.result["previous"]), "adopted")
		if whole() {
			rollout(t, "v2", "ok", more...).want(t, 0, "done")
			flipdeploy(t, append([]string{"rollback", "--json", "--parallel", "2", "--to", "adopted"}, more...)...).want(t, 0, "done")
			wantAsFound(t, "after the rollback", found)
			rollout(t, "v3", "ok", more...).want(t, 0, "done")
			wantVersions(t, "v3")
		}
		flipdeploy(t, append([]string{"rollback", "--json", "--parallel", "2"}, more...)...).want(t, 0, "done")
	})
	w.none(t, 2, 2)
	wantAsFound(t, "in the end", found)
	wantVersions(t, "v0")
	noneLeft(t)
	ids := mustVerb(t, "exec", "web1", "sh", "-c", "cd /srv/shop/releases; ls -d adopted-*; sha256sum adopted-*/shop | cut -c1-8")
	if lines := strings.Fields(ids); len(lines) != 2 || lines[0] != "adopted-"+lines[1] {
		t.Errorf("adopted releases: %s", ids)
	}
}

func TestAFleetInstalledByHandWithALinkIsAdopted(t *testing.T) {
	found := byHand(t, "v0", "link")
	p := flipdeploy(t, "plan", "--artifact", build(t, "v1", "ok"), "--revision", "v1").want(t, 0, "done")
	wantText(t, p.stdout, "(/srv/shop/builds/2026-10-01, kept while staging)")
	wantAsFound(t, "after the plan", found)
	adopted(t, found)
}

func TestAFleetInstalledByHandWithoutALinkIsAdopted(t *testing.T) {
	found := byHand(t, "v0", "binary")
	r := rollout(t, "v1", "ok").want(t, 1, "refused")
	wants(t, "code", fmt.Sprint(r.result["code"]), "FD-NOT-THROUGH-CURRENT")
	t.Logf("%v\nhint: %v", r.result["error"], r.result["hint"])
	wantAsFound(t, "after the refusal", found)
	adopted(t, found, "-i", replaced(t))
}

func TestNoWayBackIsRefusedUnlessNobodyWantsOne(t *testing.T) {
	byHand(t, "v0", "binary")
	for _, h := range webs { // may be executed, and not be read
		mustVerb(t, "exec", h, "sh", "-c", "systemctl stop shop; chown root /srv/shop/bin/shop; chmod 0711 /srv/shop/bin/shop; systemctl start shop")
	}
	serving(t)
	found, inv := standing(t), replaced(t)
	trees := places(t)
	for _, cmd := range []string{"plan", "rollout"} {
		r := flipdeploy(t, cmd, "--json", "--artifact", build(t, "v1", "ok"), "--revision", "v1", "-i", inv).want(t, 1, "refused")
		wants(t, "code", fmt.Sprint(r.result["code"]), "FD-NO-WAY-BACK")
		wantText(t, fmt.Sprint(r.result["error"]), "web1: flipdeploy did not install what is here, and there is no way back to it: "+
			"/srv/shop/bin/shop, which pid ")
		wantText(t, fmt.Sprint(r.result["hint"]), "--no-undo")
		t.Logf("%v\nhint: %v", r.result["error"], r.result["hint"])
		wantAsFound(t, cmd, found)
		wants(t, "files after "+cmd, places(t), trees)
	}
	p := flipdeploy(t, "plan", "--no-undo", "--artifact", build(t, "v1", "ok"), "--revision", "v1", "-i", inv).want(t, 0, "done")
	wantText(t, p.stdout, "none: /srv/shop/bin/shop, which pid ")
	under(t, func() {
		rollout(t, "v1", "ok", "--no-undo", "-i", inv).want(t, 0, "done")
	}).none(t, 2, 2)
	wantVersions(t, "v1")
	back := flipdeploy(t, "rollback", "--json", "-i", inv).want(t, 1, "refused")
	wants(t, "code", fmt.Sprint(back.result["code"]), "FD-NO-WAY-BACK")
	t.Logf("%v", back.result["error"])
	wantVersions(t, "v1")
	noneLeft(t)
}

// What another process adopted, and was killed over, is known from the hosts alone.
func TestAnAdoptionThatWasKilledIsRolledBack(t *testing.T) {
	ways := []string{"binary", "link"}
	if !whole() {
		ways = ways[:1]
	}
	for _, how := range ways {
		t.Run(how, func(t *testing.T) {
			found := byHand(t, "v0", how)
			more := []string{"--parallel", "2", "--canary", "0"}
			if how == "binary" {
				more = append(more, "-i", replaced(t))
			}
			w := under(t, func() {
				kill := started(t, append([]string{"rollout", "--artifact", build(t, "k1", "ok"), "--revision", "k1"}, more...)...)
				await(t, "a host on the new release", func() bool { return strings.Contains(versions(t), "k1") })
				kill(syscall.SIGKILL)
				rollout(t, "k2", "ok", more[4:]...).want(t, 6, "unfinished")
				flipdeploy(t, append([]string{"rollback", "--json"}, more[4:]...)...).want(t, 0, "done")
			})
			w.none(t, 2, 2)
			wantAsFound(t, "after the rollback", found)
			noneLeft(t)
		})
	}
}

// places are all files of flipdeploy and of the app on the hosts.
func places(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, h := range webs {
		all.WriteString(mustVerb(t, "exec", h, "sh", "-c", "find /srv/shop | sort; cat /run/shop/pid"))
	}
	return all.String()
}

// serving waits until every host is in rotation again.
func serving(t *testing.T) {
	t.Helper()
	await(t, "four hosts in rotation", func() bool { return strings.Count(haproxy(t, "show servers state shop"), " 2 0 1 ") >= 4 })
}

func wantText(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q is not in:\n%s", part, text)
	}
}
