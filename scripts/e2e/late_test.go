//go:build fleet

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A late is one script that changes something, on its way while its run is stopped and
// another ends the work. It is told by its own text; scripts_test.go keeps the list whole.
type late struct {
	name  string
	to    string   // machine, and which one of several such
	has   []string // the script matches all of them
	story string   // what the run is that sends it; "" is a plain rollout
	inv   []string // what its inventory has otherwise
}

// What scripts say, as their shell has it.
const (
	claims  = `FD_ACT='act claim web2`
	drains  = `FD_ACT='act drain web2`
	toMaint = `FD_ACT='act to web2\n(?s).*expect shop/web2 \d+ maint`
	toDrain = `FD_ACT='act to web2\n(?s).*expect shop/web2 0 drain`
	risen   = `FD_ACT='act to web2\n(?s).*expect shop/web2 1 drain`
	toReady = `FD_ACT='act to web2\n(?s).*expect shop/web2 \d+ ready`
	cuts    = `FD_KEYS=shop/web2`
	marks   = `(?m)^\tfd_b=ready\b`
	onWeb2  = `fd_key in shop@10\.77\.0\.12:8080`
	nothing = `\n\(\n:\n\) 9>&-`
	unmarks = `rm -f "\$fd_app/own/"shop@10\.77\.0\.12:8080`
	raises  = `fd_put "\$fd_app/fence"`
	turns   = `fd_put "\$fd_app/turn"`
	appends = `\nfd_append "\$fd_app/journal/(?s).*fd_refuse write journal\s+fd_say data`
	asksNg  = `FD_PUTS=''`
	editsNg = `fd_make_0\(\) \{`
	outNg   = `FD_SEATS='seat`
	backNg  = `seat shop web1 0 1 `

	fences   = `mktemp \.flipdeploy/fence`
	haves    = `\[ "\$h" = "\$hash" \] && \{ echo have`
	stages   = `plain\) fill "\$blob" "\$size" cat`
	adopts   = `die FD-ADOPT`
	flips    = `mktemp -d \.flipdeploy/flip`
	prunes   = `mktemp -d releases/\.gone-`
	signals  = `kill -"\$signal" "\$pid" && echo sent`
	kills    = `for v in \$victims`
	units    = `--no-block "\$verb"`
	commands = `setsid sh -c "\$argv`
)

// systemd: the app's socket may close, so that a host goes to maint.
var systemd = []string{"preset = \"tableflip\"\nmethod = \"signal\"\nsignal = \"HUP\"\n", "preset = \"systemd-reload\"\n"}

func onTimeout(do string) []string {
	return []string{"[rollout]\n", "[rollout]\ndrain_timeout = \"3s\"\non_drain_timeout = \"" + do + "\"\n"}
}

// The first two are the sample of each test run.
var lates = []late{
	{name: "HAProxy set drain", to: "edge1", has: []string{drains}},
	{name: "stage", to: "web2", has: []string{stages}},
	{name: "end new processes", to: "web2", has: []string{kills}, story: "hangs"},
	{name: "raise a balancer's fence", to: "edge1", has: []string{raises}},
	{name: "raise a host's fence", to: "web2", has: []string{fences}},
	{name: "journal", to: "edge1", has: []string{appends}},
	{name: "owner mark", to: "edge1", has: []string{claims, marks, onWeb2}},
	{name: "look for the release, and clear old temporaries", to: "web2", has: []string{haves}},
	{name: "flip", to: "web2", has: []string{flips}},
	{name: "signal", to: "web2", has: []string{signals}},
	{name: "HAProxy set ready", to: "edge1", has: []string{toReady}},
	{name: "drop the owner mark", to: "edge1", has: []string{unmarks}},
	{name: "prune", to: "web2", has: []string{prunes}},
	{name: "HAProxy set drain again", to: "edge1", has: []string{toDrain}, story: "forgotten"},
	{name: "HAProxy set maint", to: "edge1", has: []string{toMaint}, inv: systemd},
	{name: "HAProxy set drain, from maint", to: "edge1", has: []string{risen}, inv: systemd},
	{name: "reload through systemd", to: "web2", has: []string{units}, inv: systemd},
	{name: "start", to: "web2", has: []string{commands, `systemctl start shop`}, story: "down"},
	{name: "make startable", to: "web2", has: []string{units, `verb=reset-failed`}, story: "down"},
	{name: "stop", to: "web2", has: []string{commands, `systemctl stop shop`}, story: "empty"},
	{name: "flip back", to: "web2 2", has: []string{flips}, story: "unhealthy"},
	{name: "signal back", to: "web2 2", has: []string{signals}, story: "unhealthy"},
	{name: "give back", to: "edge1", has: []string{`FD_ACT='act to web1\n(?s).*expect shop/web1 \d+ ready`}, story: "given back", inv: onTimeout("abort")},
	{name: "cut sessions", to: "edge1", has: []string{cuts}, story: "cut", inv: onTimeout("cut")},
	{name: "adopt", to: "web2", has: []string{adopts}, story: "by hand"},
	{name: "take a mark over", to: "edge1", has: []string{marks, onWeb2, nothing}, story: "resumes"},
}

// What a run sends where a call of its own did not end in time is shown by the tests of
// deploy/state and remote/site: it asks for the fence like all others.
var latesGivenUp = []late{
	{name: "shut out what was given up", has: []string{turns}},
	{name: "shut out what was given up on a host", has: []string{`\.flipdeploy/turn\b(?s).*\nlocked\n`}},
}

// Behind an nginx.
var latesNginx = []late{
	{name: "nginx edit, out", has: []string{editsNg, outNg}},
	{name: "nginx edit, back and out", has: []string{editsNg, outNg, backNg}},
	{name: "nginx edit, back", has: []string{editsNg, `FD_SEATS=''`}},
	{name: "nginx owner mark", has: []string{asksNg, marks, onWeb2}},
	{name: "nginx drop the owner mark", has: []string{unmarks}},
}

// TestLateCommandsOfEveryScript: the run is stopped right before it sends a script, its
// work is ended from elsewhere, and then it goes on: the script is refused by the fence,
// and nothing on any machine is changed by it, or by what the run does after it.
func TestLateCommandsOfEveryScript(t *testing.T) {
	all := lates
	if edge := nginxEdge(t); edge != "" {
		all = nil
		for _, l := range latesNginx {
			l.to = edge
			all = append(all, l)
		}
	}
	if !whole() {
		all = all[:2]
	}
	fresh(t)
	for _, l := range all {
		if t.Run(l.name, func(t *testing.T) { l.sent(t) }); t.Failed() || l.story != "" {
			fresh(t)
		}
	}
}

// sent stops a run before it sends the script, and has it go on once all is settled.
func (l late) sent(t *testing.T) {
	k := newKiller(t, l.inv...)
	k.runs = version(t, "web1")
	unstage(t, k.next())
	args := l.begin(t, k)
	scripts, answer := t.TempDir(), filepath.Join(t.TempDir(), "answer")
	var stopped, after string
	var r run
	reloads := l.story == "forgotten" || slices.ContainsFunc(edges(), isNginx) // closes connections that clients keep
	w := underClients(t, reloads, func() {
		m := k.held(t, args, append(l.variables(t), "FLIPDEPLOY_SCRIPTS="+scripts, "FLIPDEPLOY_SENT="+answer)...)
		lockTaken(t)
		l.settle(t, k)
		stopped = everythingNow(t)
		_ = syscall.Kill(m.pid, syscall.SIGCONT)
		r = <-m.ended
		after = everythingNow(t)
	})
	said, _ := os.ReadFile(answer)
	if !refusedByFence.Match(said) {
		t.Errorf("not refused by the fence: %q; then %s", said, r)
	}
	if after != stopped {
		t.Errorf("something was changed:\n%s", firstDifference(stopped, after))
	}
	if w.Load.Failed != 0 && !reloads {
		t.Errorf("%d failed: %s", w.Load.Failed, strings.Join(w.Load.Texts, "\n"))
	}
	w.gentle(t)
	known(t, scripts)
	t.Logf("%s: refused, then exit %d %v %v; %d served, %d failed", l.name, r.exit, r.result["outcome"], r.result["code"], w.Load.Served, w.Load.Failed)
}

// refusedByFence is how a script says it: the balancers' and the hosts'. An adoption is
// refused before it comes to the fence, by what it relies on: another has flipped.
var refusedByFence = regexp.MustCompile(`(?m)^!FD-FENCED \d+$|^\S+ no fenced \d+$|^!FD-ADOPT current was changed meanwhile$`)

func (l late) variables(t *testing.T) []string {
	vars := []string{"FLIPDEPLOY_SEND=" + strings.Join(append([]string{l.to}, l.has...), "\n")}
	if l.story == "forgotten" {
		vars = append(vars, at("web2:reload:1:before", tool(t)+"fleet exec edge1 systemctl reload haproxy; sleep 1")...)
	}
	return vars
}

// held begins a run and returns once it is stopped before the script that its variables
// tell of.
func (k *killer) held(t *testing.T, args []string, variables ...string) *running {
	t.Helper()
	pid := filepath.Join(t.TempDir(), "pid")
	return k.until(t, pid, args, append(variables, "FLIPDEPLOY_SEND_DO=echo $PID >"+pid+"; kill -STOP $PID")...)
}

// lockTaken ends the lock of a run that is stopped at once: it would be free by itself
// after 30 s of silence (TestALateCommandIsRefused).
func lockTaken(t *testing.T) {
	t.Helper()
	for _, e := range edges() {
		mustVerb(t, "exec", e, "sh", "-c", endHolder)
	}
	await(t, "a free lock", func() bool { return lockFree(t) })
}

// begin brings the fleet to where the story begins and tells what runs then.
func (l late) begin(t *testing.T, k *killer) []string {
	t.Helper()
	switch l.story {
	case "hangs", "unhealthy":
		return k.forward(t, "bad", l.story+"@web2")
	case "down":
		mustVerb(t, "exec", "web2", "systemctl", "stop", "shop")
	case "empty": // a release that does not come well is stopped where nothing ran
		mustVerb(t, "exec", "web2", "sh", "-c", "systemctl stop shop; rm -rf /srv/shop/current")
		return k.forward(t, "bad", "unhealthy@web2")
	case "given back", "cut":
		for range webs { // one on each
			t.Cleanup(tunnel(t))
		}
	case "by hand":
		mustVerb(t, "byhand", k.runs, "link")
		t.Cleanup(func() { mustVerb(t, "byhand", "off"); fresh(t) })
	case "resumes":
		if died, r := k.run(t, k.forward(t, k.next(), "ok"), at(onFlip, "kill -KILL $PID")...); !died {
			t.Fatal(r)
		}
		return []string{"resume", "--json"}
	}
	return k.forward(t, k.next(), "ok")
}

// unstage has no host have a revision, none of which runs it.
func unstage(t *testing.T, revision string) {
	t.Helper()
	for _, h := range webs {
		mustVerb(t, "exec", h, "sh", "-c", "rm -rf /srv/shop/releases/"+revision+"-*")
	}
}

// settle ends the work from elsewhere, and leaves a fleet that is uniform and free; a run
// that left nothing to settle is followed by another.
func (l late) settle(t *testing.T, k *killer) {
	t.Helper()
	var r run
	if slices.Contains([]string{"hangs", "unhealthy", "empty", "given back"}, l.story) {
		r = flipdeploy(t, slices.Concat([]string{"rollback", "--json"}, k.other)...)
	} else {
		r = k.settled(t)
	}
	if r.exit == 0 && r.result["outcome"] == "nothing" {
		other := build(t, "other", "ok")
		r = flipdeploy(t, slices.Concat([]string{"rollout", "--json", "--artifact", other, "--revision", "other"}, k.other)...)
	}
	if r.exit != 0 {
		t.Errorf("settled from elsewhere: %s", r)
	}
	if l.story != "empty" { // there web2 is as it was found, with nothing that serves
		noneLeft(t)
	}
}

// everythingNow is all that a late script could change, on every machine.
func everythingNow(t *testing.T) string {
	t.Helper()
	const files = ` -name '.stage-*' -prune -o -not -type d -printf '%p %i %s %T@ %m %l\n' -o -type d -printf '%p %m\n' 2>/dev/null | sort`
	var all strings.Builder
	for _, e := range edges() {
		fmt.Fprintln(&all, e, mustVerb(t, "exec", e, "sh", "-c", "find /var/lib/flipdeploy /etc/nginx/conf.d"+files+"; cat /var/lib/flipdeploy/shop/fence"))
		if isNginx(e) {
			continue
		}
		for line := range strings.Lines(on(t, e, "show servers state shop")) {
			if f := strings.Fields(line); len(f) > 8 {
				fmt.Fprintln(&all, e, f[3:7])
			}
		}
	}
	for _, h := range webs {
		fmt.Fprintln(&all, h, mustVerb(t, "exec", h, "sh", "-c", "find /srv/shop"+files+"; cat /srv/shop/.flipdeploy/fence; systemctl show -p MainPID,NRestarts,ActiveState shop"))
	}
	return all.String()
}
