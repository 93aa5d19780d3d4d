package cli

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// aPlan is a plan of two hosts, as it lies in a file.
func aPlan() planFile {
	return planFile{Format: 1, Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Flipdeploy: "v1.0.0", Artifact: strings.Repeat("ab", 32),
		Flags: planFlags{"parallel": "2", "no-undo": "true", "hosts": "web*"},
		Plan: deploy.Plan{Rollout: "r1", App: "shop", Mode: deploy.ModeRollout, Release: "v2-2", Parallel: 2, Serving: 2, MinServing: 1,
			Hosts: []deploy.PlannedHost{{Name: "web1", From: "v1-1", To: "v2-2", Ran: true, Serving: true}, {Name: "web2", From: "v1-1", To: "v2-2", Ran: true, Serving: true}}},
		Seats: seatPlan{"edge1": {"web1": {State: deploy.StateReady, Backends: []string{"shop@10.0.0.1:80"}}, "web2": {State: deploy.StateReady, Backends: []string{"shop@10.0.0.2:80"}}}},
	}
}

func planAt(t *testing.T, p planFile) (file, text string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "p.json")
	if err := writePlan(file, p); err != nil {
		t.Fatal(err)
	}
	return file, read(t, file)
}

func TestAPlanIsReadAsItWasWritten(t *testing.T) {
	file, _ := planAt(t, aPlan())
	got, err := readPlan(file)
	if err != nil {
		t.Fatal(err)
	}
	got.Sum = ""
	if want := aPlan(); !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v\nwant %+v", *got, want)
	}
}

func TestATornPlanIsNone(t *testing.T) {
	file, whole := planAt(t, aPlan())
	for n := range len(whole) - len("\n}\n") {
		write(t, file, whole[:n])
		if _, err := readPlan(file); deploy.CodeOf(err) != "FD-PLAN-FILE" {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
}

func TestWhatIsNoPlanIsNotCarriedOut(t *testing.T) {
	file, whole := planAt(t, aPlan())
	change := func(old, with string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("no %s in %s", old, whole)
		}
		return strings.Replace(whole, old, with, 1)
	}
	for _, text := range []string{change(`"format": 1`, `"then": 1, "format": 1`), change(`"parallel": 2`, `"parallel":  2`), change(`"from"`, `"From"`)} {
		write(t, file, text)
		if _, err := readPlan(file); err == nil || err.Error() != file+": was changed since it was written" {
			t.Errorf("%v: %s", err, text)
		}
	}
	for want, text := range map[string]string{
		"is no plan, or not the whole of one: unexpected end of JSON input":                         "",
		"is no plan, or not the whole of one: invalid character '#' looking for beginning of value": "# inventory",
		"is no plan: it has no format":                                                     "{}",
		"is of format 2, and this flipdeploy reads format 1":                               change(`"format": 1`, `"format": 2`),
		"was changed since it was written":                                                 change(`"parallel": 2`, `"parallel": 3`),
		"is no plan, or not the whole of one: invalid character '{' after top-level value": whole + whole,
	} {
		write(t, file, text)
		_, err := readPlan(file)
		if err == nil || err.Error() != file+": "+want || deploy.CodeOf(err) != "FD-PLAN-FILE" || deploy.HintOf(err) != "make it anew: flipdeploy plan -o "+file {
			t.Errorf("%v [%s], %s\nwant %s", err, deploy.CodeOf(err), deploy.HintOf(err), want)
		}
	}
}

// Whatever a plan says, of the fleet, of a host or of its place: no difference passes.
func TestAnyDifferenceMakesAPlanStale(t *testing.T) {
	known := map[string]bool{"Plan.Rollout": true, "PlannedHost.Name": true, "Plan.Hosts": true}
	p := aPlan()
	before := factsOf(p.Plan, p.Seats)
	differs := func(name string, p deploy.Plan, seats seatPlan) {
		t.Helper()
		if d := differences(before, factsOf(p, seats)); len(d) == 0 && !known[name] {
			t.Errorf("%s: no difference is seen", name)
		}
	}
	eachField(t, p.Plan, func(name string, changed deploy.Plan) { differs(name, changed, p.Seats) })
	eachField(t, p.Plan.Hosts[0], func(name string, changed deploy.PlannedHost) {
		q := aPlan().Plan
		q.Hosts[0] = changed
		differs(name, q, p.Seats)
	})
	eachField(t, p.Seats["edge1"]["web1"], func(name string, changed plannedSeat) {
		seats := aPlan().Seats
		seats["edge1"]["web1"] = changed
		differs(name, p.Plan, seats)
	})
	gone := aPlan().Seats
	delete(gone["edge1"], "web2")
	differs("a host gone from a balancer", p.Plan, gone)
	fewer := aPlan().Plan
	fewer.Hosts = fewer.Hosts[:1]
	differs("a host gone from the plan", fewer, p.Seats)
}

// eachField has see called with v, one field changed at a time.
func eachField[T any](t *testing.T, v T, see func(name string, changed T)) {
	t.Helper()
	typ := reflect.TypeFor[T]()
	for i := range typ.NumField() {
		changed := v
		f := reflect.ValueOf(&changed).Elem().Field(i)
		switch f.Kind() {
		case reflect.String:
			f.SetString("other")
		case reflect.Int, reflect.Int64:
			f.SetInt(f.Int() + 1)
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 3, 3))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		default:
			t.Fatalf("%s.%s: a %s", typ.Name(), typ.Field(i).Name, f.Kind())
		}
		see(typ.Name()+"."+typ.Field(i).Name, changed)
	}
}

func TestAStalePlanSaysWhatDiffers(t *testing.T) {
	p, now := aPlan(), aPlan()
	now.Plan.Rollout, now.Plan.Serving = "r2", 1
	now.Plan.Hosts[0].From = "v3-3"
	now.Plan.Hosts[1].Out, now.Plan.Hosts[1].Serving = "maint on edge1, by hand or by another tool", false
	now.Seats["edge1"]["web2"] = plannedSeat{State: deploy.StateMaint, Backends: []string{"shop@10.0.0.2:80"}}
	o := rolloutOptions{planFile: "p.json", inventory: "inventory.toml", agreed: &p}
	err := o.stale(differences(factsOf(p.Plan, p.Seats), factsOf(now.Plan, now.Seats)))
	var got strings.Builder
	fmt.Fprintf(&got, "%v [%s]\n%s\n", err, deploy.CodeOf(err), strings.Join(errorEvent(err).Evidence, "\n"))
	fmt.Fprintln(&got, deploy.HintOf(err))
	const want = `p.json: the plan of 2026-01-02T03:04:05Z does not hold any more: web1: from v1-1, now v3-3, and 4 more [FD-PLAN-STALE]
web1: from v1-1, now v3-3
web2: edge1 state ready, now maint
web2: out nothing, now maint on edge1, by hand or by another tool
web2: serving true, now nothing
serving 2, now 1
look at what would be done now: flipdeploy plan -o p.json --hosts 'web*' --no-undo --parallel 2
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", &got, want)
	}
	if err := o.stale(differences(factsOf(p.Plan, p.Seats), factsOf(aPlan().Plan, aPlan().Seats))); err != nil {
		t.Errorf("the same plan: %v", err)
	}
}

// In what words a host could not be reached is another matter each time.
func TestAHostThatCannotBeReachedIsTheSameHost(t *testing.T) {
	then, now := aPlan().Plan, aPlan().Plan
	for i, p := range []deploy.Plan{then, now} {
		p.Hosts[1] = deploy.PlannedHost{Name: "web2", Unread: true, Skip: fmt.Sprintf("skipped: dial tcp: no answer within %d s", i)}
	}
	if d := differences(factsOf(then, nil), factsOf(now, nil)); len(d) > 0 {
		t.Errorf("%q", d)
	}
}

func TestAPlanBringsItsFlags(t *testing.T) {
	p := aPlan()
	const all = "parallel no-undo skip-unreachable "
	for _, c := range []struct {
		given, want rolloutOptions
		differ      string
	}{
		{rolloutOptions{}, rolloutOptions{parallel: "2", noUndo: true, hosts: "web*"}, "[]"},
		{rolloutOptions{parallel: "2", artifact: "x"}, rolloutOptions{parallel: "2", noUndo: true, hosts: "web*", artifact: "x"}, "[]"},
		{rolloutOptions{parallel: "3"}, rolloutOptions{parallel: "3", noUndo: true, hosts: "web*"}, "[--parallel 2, now 3]"},
		{rolloutOptions{given: all}, rolloutOptions{parallel: "2", hosts: "web*", given: all}, "[--no-undo true, now false]"},
		{rolloutOptions{skip: 1}, rolloutOptions{parallel: "2", noUndo: true, hosts: "web*", skip: 1}, "[--skip-unreachable not given, now 1]"},
	} {
		got := c.given
		differ, err := got.adopt(p.Flags)
		if err != nil || !reflect.DeepEqual(got, c.want) || fmt.Sprint(differ) != c.differ {
			t.Errorf("%+v, %v, %v\nwant %+v, %s", got, differ, err, c.want, c.differ)
		}
	}
	full := planFlags{}
	for _, f := range (&rolloutOptions{}).madeBy() {
		full[f.name] = map[bool]string{true: "7"}[f.name == "skip-unreachable"]
		switch f.value.(type) {
		case *string:
			full[f.name] = "a b"
		case *bool:
			full[f.name] = "true"
		}
	}
	var o rolloutOptions
	if differ, err := o.adopt(full); err != nil || len(differ) > 0 || !reflect.DeepEqual(o.planFlags(), full) {
		t.Errorf("%v, %v: %v, want %v", differ, err, o.planFlags(), full)
	}
}

// Every flag of plan either makes the plan what it is, and is kept in it, or says only
// how the work is gone about.
func TestNoFlagThatMattersIsForgotten(t *testing.T) {
	known := strings.Fields("limit-rate probe lock-wait yes unfinished output")
	for _, f := range (&rolloutOptions{}).madeBy() {
		known = append(known, f.name)
	}
	for _, c := range commands(t) {
		if c.Name == "plan" {
			sameWords(t, "flags of plan", known, trimAll(ownFlags(c)))
		}
	}
}

func trimAll(flags []string) (names []string) {
	for _, f := range flags {
		names = append(names, strings.TrimLeft(f, "-"))
	}
	return names
}

// What is stale without a look at the fleet is refused before a connection is tried:
// none of these machines could be reached.
func TestAStalePlanIsRefusedBeforeAMachineIsAsked(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	remotetest.WriteKey(t, "key")
	const script = "#!/bin/sh\necho one\n"
	sum := func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
	inventory := fmt.Sprintf(vouched, "")
	fresh := func() {
		write(t, "shop", script)
		write(t, "inventory.toml", inventory)
		p := aPlan()
		p.Inventory, p.Artifact, p.Settings = sum(inventory), sum(script), settingsAt(t, "inventory.toml")
		if err := writePlan("p.json", p); err != nil {
			t.Fatal(err)
		}
	}
	fresh()
	otherSettings := func(s settings, name, value string) func() {
		return func() {
			p := aPlan()
			p.Inventory, p.Artifact, p.Settings = sum(inventory), sum(script), s
			if s != nil {
				s[name] = value
			}
			if err := writePlan("p.json", p); err != nil {
				t.Fatal(err)
			}
		}
	}
	const again = "flipdeploy: hint: look at what would be done now: flipdeploy plan -o p.json --hosts 'web*' --no-undo --parallel 2\n"
	const stale = "flipdeploy: p.json: the plan of 2026-01-02T03:04:05Z does not hold any more: "
	for _, c := range []struct {
		change func()
		args   string
		code   int
		want   string
	}{
		{func() { write(t, "shop", "#!/bin/sh\necho two\n") }, "", 1,
			stale + "artifact of sha256 " + sum(script)[:12] + ", now " + sum("#!/bin/sh\necho two\n")[:12] + " [FD-PLAN-STALE]\n" + again},
		{func() { write(t, "inventory.toml", inventory+"# more\n") }, "", 1,
			stale + "inventory inventory.toml of sha256 " + sum(inventory)[:12] + ", now " + sum(inventory + "# more\n")[:12] + " [FD-PLAN-STALE]\n" + again},
		{func() {}, "--parallel 1", 1, stale + "--parallel 2, now 1 [FD-PLAN-STALE]\n" + again},
		{func() {}, "--no-undo=false", 1, stale + "--no-undo true, now false [FD-PLAN-STALE]\n" + again},
		{otherSettings(settingsAt(t, "inventory.toml"), "preset.timeout", "1s"), "", 1, stale + "preset.timeout 1s, now 30s [FD-PLAN-STALE]\n" + again},
		{otherSettings(nil, "", ""), "", 1, stale + "flipdeploy v1.0.0, which did not keep what its presets say, now " + version() + " [FD-PLAN-STALE]\n" + again},
		{func() { write(t, "p.json", "") }, "", 2, "flipdeploy: p.json: is no plan, or not the whole of one: unexpected end of JSON input [FD-PLAN-FILE]\n" +
			"flipdeploy: hint: make it anew: flipdeploy plan -o p.json\n"},
		{func() { _ = os.Remove("p.json") }, "", 2, "flipdeploy: p.json: cannot be read: no such file or directory [FD-PLAN-FILE]\n" +
			"flipdeploy: hint: make it anew: flipdeploy plan -o p.json\n"},
	} {
		for _, command := range []string{"rollout", "rollout --dry-run"} {
			fresh()
			c.change()
			e := flipdeploy(t, append(strings.Fields(command+" "+c.args), "--plan", "p.json")...)
			if e.code != c.code || e.stderr != c.want || e.stdout != "" {
				t.Errorf("%s %s: %d %s%s\nwant %d %s", command, c.args, e.code, e.stderr, e.stdout, c.code, c.want)
			}
		}
	}
	fresh()
	if e := flipdeploy(t, "rollout", "--plan", "p.json"); e.code != 1 || !strings.Contains(e.stderr, "FD-SSH-REFUSED") {
		t.Errorf("a plan that holds: %d %s", e.code, e.stderr)
	}
	write(t, "inventory.toml", inventory+"# more\n")
	e := flipdeploy(t, "rollout", "--plan", "p.json", "--json")
	var res deploy.Result
	if err := json.Unmarshal([]byte(e.stdout), &res); err != nil || res.Code != "FD-PLAN-STALE" || res.Exit != 1 || res.Outcome != deploy.OutcomeRefused {
		t.Errorf("%v: %s", err, e.stdout)
	}
}

func TestAPlanThatCannotBeWrittenIsSaid(t *testing.T) {
	err := writePlan("nowhere/p.json", aPlan())
	if err == nil || err.Error() != "nowhere/p.json: cannot be written: no such file or directory" || deploy.CodeOf(err) != "FD-PLAN-WRITE" {
		t.Errorf("%v [%s]", err, deploy.CodeOf(err))
	}
}

// settingsAt are those of an inventory, with the flags of aPlan.
func settingsAt(t *testing.T, file string) settings {
	t.Helper()
	inv, err := inventory.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := (rolloutOptions{parallel: "2", noUndo: true, hosts: "web*"}).override(inv); err != nil {
		t.Fatal(err)
	}
	return settingsOf(inv)
}

// What a preset adds to an inventory is in its plan: each key of each.
func TestAPlanKeepsWhatItsPresetSays(t *testing.T) {
	for _, s := range inventory.Systems() {
		inv := &inventory.Inventory{Reload: inventory.Reload{Preset: s.Name, Method: s.Method}}
		kept := settingsOf(inv)
		n := 0
		for i := range reflect.TypeOf(s).NumField() {
			f := reflect.TypeOf(s).Field(i)
			if reflect.ValueOf(s).Field(i).IsZero() || slices.Contains(wordy, f.Name) {
				continue
			}
			if n++; kept["preset."+strings.ToLower(hump.ReplaceAllString(f.Name, "${1}_$2"))] == "" {
				t.Errorf("%s: %s is not kept: %v", s.Name, f.Name, kept)
			}
		}
		if n < 3 {
			t.Errorf("%s has %d keys", s.Name, n)
		}
		for name, value := range kept {
			if strings.Contains(value, "0x") { // an address is another in each run
				t.Errorf("%s: %s is %s", s.Name, name, value)
			}
		}
	}
}
