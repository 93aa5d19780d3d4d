package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

// A hookedRun is a run of two hosts, with hooks that are shell scripts.
type hookedRun struct {
	*session
	log  *os.File // what is told, as JSON
	plan deploy.Plan
}

// newHookedRun has a hook for each script; all of them write what they read to a file of
// their name.
func newHookedRun(t *testing.T, scripts map[string]string) *hookedRun {
	t.Helper()
	dir := t.TempDir()
	argv := func(hook string) []string {
		script, there := scripts[hook]
		if !there {
			return nil
		}
		text := "#!/bin/sh\ncat >>" + hook + ".read\n" + script + "\n"
		if err := os.WriteFile(filepath.Join(dir, hook), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return []string{"./" + hook, "x"}
	}
	inv := &inventory.Inventory{Dir: dir, Hooks: inventory.Hooks{Timeout: 10 * time.Second,
		Before: argv("before"), After: argv("after"), BeforeHost: argv("before_host"), AfterHost: argv("after_host")}}
	log := file(t, "log")
	t.Cleanup(func() { log.Close() })
	return &hookedRun{session: &session{inv: inv, screen: ui.New(ui.Options{Out: log, Err: log, JSON: true})}, log: log,
		plan: deploy.Plan{App: "shop", Rollout: "7f3a", Mode: deploy.ModeRollout, Revision: "v2", Previous: "v1",
			Hosts: []deploy.PlannedHost{{Name: "web1", From: "a", To: "b"}, {Name: "web2", From: "a", To: "b"}}}}
}

// do is the run: each host is asked for, drained and done, unless the hook says no.
func (h *hookedRun) do(ctx context.Context, back bool, ends ...deploy.Phase) (deploy.Result, error) {
	r := &deploy.Rollout{Plan: h.plan}
	return h.hooked(ctx, context.WithoutCancel(ctx), r, back, func() (deploy.Result, error) {
		res := deploy.Result{Outcome: deploy.OutcomeDone, Hosts: map[string]deploy.HostResult{}}
		for i, phase := range ends {
			host := h.plan.Hosts[i].Name
			if err := r.Before(ctx, host); err != nil {
				return res, err
			}
			h.emit(deploy.Event{Kind: deploy.KindHost, Host: host, Phase: deploy.Draining})
			h.emit(deploy.Event{Kind: deploy.KindHost, Host: host, Phase: phase})
			res.Hosts[host] = deploy.HostResult{Phase: phase}
		}
		return res, nil
	})
}

var whenever = regexp.MustCompile(`"time":"[^"]+"`)

// read is what a hook was given, sorted, without the times.
func (h *hookedRun) read(t *testing.T, hook string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.inv.Dir, hook+".read"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(whenever.ReplaceAllString(string(text), `"time":"…"`)), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// told are the events of a kind, as "host detail code".
func (h *hookedRun) told(t *testing.T, kind deploy.Kind) (lines []string) {
	t.Helper()
	h.screen.Close()
	for _, line := range written(read(t, h.log.Name())) {
		var e deploy.Event
		if json.Unmarshal([]byte(line), &e) == nil && e.Kind == kind {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Host, e.Detail, e.Code)))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestHooksReadWhatHappens(t *testing.T) {
	h := newHookedRun(t, map[string]string{"before": "", "after": "", "before_host": "", "after_host": ""})
	if _, err := h.do(t.Context(), false, deploy.Done, deploy.Failed); err != nil {
		t.Fatal(err)
	}
	about := `"time":"…","app":"shop","rollout":"7f3a","mode":"rollout","revision":"v2","previous":"v1"`
	for hook, want := range map[string]string{
		"before": `{"kind":"hook","hook":"before",` + about + `,"hosts":["web1","web2"]}`,
		"before_host": `{"kind":"hook","hook":"before_host",` + about + `,"host":"web1"}` + "\n" +
			`{"kind":"hook","hook":"before_host",` + about + `,"host":"web2"}`,
		"after_host": `{"kind":"hook","hook":"after_host",` + about + `,"host":"web1","phase":"done"}` + "\n" +
			`{"kind":"hook","hook":"after_host",` + about + `,"host":"web2","phase":"failed"}`,
	} {
		if got := h.read(t, hook); got != want {
			t.Errorf("%s read\n%s\nwant\n%s", hook, got, want)
		}
	}
	if got := h.read(t, "after"); !strings.Contains(got, `"hook":"after"`) || !strings.Contains(got, `"result":{"kind":"","seq":0,`) ||
		!strings.Contains(got, `"outcome":"done"`) {
		t.Errorf("after read %s", got)
	}
	if got, want := fmt.Sprint(h.told(t, deploy.KindHook)), "[after: ./after before: ./before web1 after_host: ./after_host "+
		"web1 before_host: ./before_host web2 after_host: ./after_host web2 before_host: ./before_host]"; got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
}

func TestAHookThatFailsBeforeStopsTheRun(t *testing.T) {
	h := newHookedRun(t, map[string]string{"before": "echo no rollouts on fridays >&2; exit 3", "after": ""})
	_, err := h.do(t.Context(), false, deploy.Done)
	want := "hook before: ./before: exit status 3"
	if err == nil || err.Error() != want || deploy.CodeOf(err) != "FD-HOOK" ||
		deploy.HintOf(err) != "run it by hand in the inventory's directory, or take hooks.before out" {
		t.Errorf("%v [%s], hint %s", err, deploy.CodeOf(err), deploy.HintOf(err))
	}
	if e := errorEvent(err); fmt.Sprint(e.Evidence) != "[no rollouts on fridays]" {
		t.Errorf("evidence %q", e.Evidence)
	}
	if got := h.read(t, "after"); got != "" {
		t.Errorf("after was called: %s", got)
	}
}

func TestAHookThatFailsNeverKeepsAFleetFromGoingBack(t *testing.T) {
	h := newHookedRun(t, map[string]string{"before": "exit 3", "before_host": "exit 4"})
	if _, err := h.do(t.Context(), true, deploy.Done); err != nil {
		t.Fatal(err)
	}
	want := "[hook before: ./before: exit status 3 FD-HOOK web1 hook before_host: ./before_host: exit status 4 FD-HOOK]"
	if got := fmt.Sprint(h.told(t, deploy.KindWarning)); got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
}

func TestAHookThatFailsAfterIsTold(t *testing.T) {
	h := newHookedRun(t, map[string]string{"after": "exit 1", "after_host": "kill -9 $$"})
	res, err := h.do(t.Context(), false, deploy.Done)
	if err != nil || res.Outcome != deploy.OutcomeDone {
		t.Errorf("%v, %v", res.Outcome, err)
	}
	want := "[hook after: ./after: exit status 1 FD-HOOK web1 hook after_host: ./after_host: signal: killed FD-HOOK]"
	if got := fmt.Sprint(h.told(t, deploy.KindWarning)); got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
}

// What a hook says when it fails is shown, in the log of a CI system for one.
func TestHooksAreNotGivenTheKey(t *testing.T) {
	t.Setenv("FLIPDEPLOY_SSH_KEY", "-----BEGIN SECRET")
	t.Setenv("FLIPDEPLOY_SSH_PASSPHRASE", "SECRET, too")
	t.Setenv("FLIPDEPLOY_INVENTORY", "shop.toml")
	h := newHookedRun(t, map[string]string{"before": "env | grep -A1 SSH_; exit 1"})
	_, err := h.do(t.Context(), false, deploy.Done)
	if all := fmt.Sprint(errorEvent(err).Evidence); strings.Contains(all, "SECRET") {
		t.Errorf("it was told %s", all)
	}
	h = newHookedRun(t, map[string]string{"before": `test "$FLIPDEPLOY_INVENTORY" = shop.toml && test -n "$PATH" && test -z "$FLIPDEPLOY_SSH_KEY$FLIPDEPLOY_SSH_PASSPHRASE"`})
	if _, err := h.do(t.Context(), false, deploy.Done); err != nil {
		t.Error(err)
	}
}

// What the hook began ends with it.
func TestAHookThatHangsIsEndedWithAllThatItBegan(t *testing.T) {
	h := newHookedRun(t, map[string]string{"before": "trap '' TERM; sleep 300 & echo $! >child; wait; wait"})
	h.inv.Hooks.Timeout = 300 * time.Millisecond
	began := time.Now()
	_, err := h.do(t.Context(), false, deploy.Done)
	if err == nil || err.Error() != "hook before: ./before: no end within 300ms: stopped" {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	child := strings.TrimSpace(read(t, filepath.Join(h.inv.Dir, "child")))
	for range 100 {
		if stat, err := os.ReadFile("/proc/" + child + "/stat"); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %s lives on", child)
}

// A signal is not answered late because of hooks.
func TestHooksEndSoonAfterASignal(t *testing.T) {
	h := newHookedRun(t, map[string]string{"after": "exec sleep 300"})
	h.inv.Hooks.Timeout = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	began := time.Now()
	if _, err := h.do(ctx, false); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := fmt.Sprint(h.told(t, deploy.KindWarning)); got != "[hook after: ./after: context canceled FD-HOOK]" {
		t.Errorf("told %s", got)
	}
}

// A hook that leaves something in the background has ended.
func TestAHookMayLeaveSomethingInTheBackground(t *testing.T) {
	h := newHookedRun(t, map[string]string{"before": "sleep 30 &"})
	if _, err := h.do(t.Context(), false, deploy.Done); err != nil {
		t.Error(err)
	}
}

func TestHooksThatAreNotThereAreToldAtOnce(t *testing.T) {
	h := newHookedRun(t, map[string]string{"before": ""})
	h.inv.Hooks.After, h.inv.Hooks.AfterHost = []string{"no-such-program-anywhere"}, []string{"./none"}
	err := h.hooksThere()
	want := "hook after: no-such-program-anywhere: there is no such program on this machine\n" +
		"hook after_host: ./none: there is no such program on this machine"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// Nothing keeps a fleet from going back, in an unfinished run that is gone on with either.
func TestNoHookStopsTheWayBackOfAnUnfinishedRun(t *testing.T) {
	for _, c := range []struct {
		how  deploy.Settling
		mode deploy.Mode
		turn deploy.Outcome
		back bool
	}{
		{deploy.GoOn, deploy.ModeRollout, "", false},
		{deploy.GoOn, deploy.ModeRestart, "", false},
		{deploy.GoOn, deploy.ModeRollout, deploy.OutcomeRolledBack, true},
		{deploy.GoOn, deploy.ModeRollback, "", true},
		{deploy.GoBack, deploy.ModeRollout, "", true},
		{deploy.Leave, deploy.ModeRollout, "", true},
	} {
		if back := goesBack(c.how, deploy.Plan{Mode: c.mode}, deploy.Standing{Turned: c.turn}); back != c.back {
			t.Errorf("%s of a %s that turned %q: back %v", c.how, c.mode, c.turn, back)
		}
	}
	died := deploy.Standing{Failed: map[string]bool{"web1": true}} // before it could write that it turns
	if !goesBack(deploy.GoOn, deploy.Plan{Mode: deploy.ModeRollout, OnFailure: deploy.FailRollback}, died) {
		t.Error("a rollout that had to turn back, and died, goes on forward")
	}
}
