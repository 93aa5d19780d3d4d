package proc

import (
	"strings"
	"testing"
	"time"
)

// testConfig has its releases in /r.
func testConfig() *Config {
	a := New(Config{Port: 80, ReleasesDir: "/r", EntryOf: func(id string) string { return "/r/" + id + "/app" }}, nil)
	return &a.cfg
}

const entries = "root /r\nentry 1:1 /r/v1/app\nentry 1:2 /r/v2/app\n"

// Processes, as the host tells of them: who, parent, start, children's faults, program.
const (
	old      = "proc 10 1 100 S 7\nino 10 1:1\n"
	oldReap  = "proc 10 1 100 S 9\nino 10 1:1\n"
	oldExec  = "proc 10 1 100 S 7\nino 10 1:2\n"
	listens  = "listen 10\n"
	child    = "proc 20 10 200 S 0\nino 20 1:2\n"
	orphan   = "proc 20 1 200 S 0\nino 20 1:2\n"
	wrong    = "proc 20 1 200 S 0\nino 20 1:1\n"
	unseen   = "proc 20 10 200 S 0\n"
	zombie   = "proc 20 10 200 Z 0\n"
	newcome  = "listen 20\n"
	helper   = "proc 30 10 300 S 0\nino 30 9:9\nexe 30 /usr/bin/git\n"
	active   = "unit ActiveState=active\nunit MainPID=10\nunit NRestarts=0\n"
	failed   = "unit ActiveState=failed\nunit MainPID=0\nunit NRestarts=0\n"
	again    = "unit ActiveState=activating\nunit SubState=auto-restart\nunit NRestarts=0\n"
	counted  = "unit ActiveState=active\nunit MainPID=20\nunit NRestarts=1\n"
	queued   = "unit ActiveState=inactive\nunit MainPID=0\nunit Job=17\nunit NRestarts=0\n"
	noReload = "unit ActiveState=active\nunit MainPID=10\nunit NRestarts=0\nunit ReloadResult=exit-code\n"
)

func look(t *testing.T, c *Config, text string) facts {
	t.Helper()
	f, complete := parse([]byte(entries+text+"told\nend\n"), c)
	if !complete {
		t.Fatalf("cut short: %q", text)
	}
	c.narrow(&f)
	return f
}

type sight struct {
	at   time.Duration
	text string
	want Verdict
}

const ms = time.Millisecond

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   trigger
		before string
		then   []sight
	}{
		{"hands over", reload, listens + old, []sight{
			{0, listens + old, waiting},
			{100 * ms, listens + newcome + old + child, waiting}, // the child has the socket before it is ready
			{200 * ms, newcome + old + child, taken},
		}},
		{"old is gone at once", reload, listens + old, []sight{{200 * ms, newcome + orphan, taken}}},
		{"same pid, new program", reload, listens + old, []sight{{0, listens + old, waiting}, {900 * ms, listens + oldExec, taken}}},
		{"workers of a master", reload, "listen 10\nlisten 11\n" + old + "proc 11 10 101 S 0\nino 11 1:1\n", []sight{
			{100 * ms, "listen 10\nlisten 11\nlisten 20\n" + old + "proc 11 10 101 S 0\nino 11 1:1\n" + child, waiting},
			{200 * ms, "listen 10\nlisten 20\n" + old + child, taken},
		}},
		{"only the app can tell", reload, listens + old, []sight{{100 * ms, newcome + unseen, unproven}}},
		{"another release", reload, listens + old, []sight{
			{100 * ms, newcome + wrong, waiting}, {300 * ms, newcome + wrong, waiting}, {400 * ms, newcome + wrong, Wrong}}},
		{"a wrapper that execs later", reload, listens + old, []sight{
			{100 * ms, newcome + wrong, waiting}, {200 * ms, newcome + orphan, taken}}},
		{"nothing happens", reload, listens + old, []sight{{9 * time.Second, listens + old, waiting}, {10 * time.Second, listens + old, Ignored}}},
		{"a helper is no takeover", reload, listens + old, []sight{{time.Second, listens + old + helper, waiting}, {10 * time.Second, listens + old + helper, Ignored}}},
		{"ExecReload ends with an error", reload, active + listens + old, []sight{
			{100 * ms, noReload + listens + old, waiting}, {time.Second, noReload + listens + old, Ignored}}},
		{"child dies", reload, listens + old, []sight{
			{100 * ms, listens + old + child, waiting},
			{200 * ms, listens + oldReap, waiting}, {1099 * ms, listens + oldReap, waiting}, {1100 * ms, listens + oldReap, Refused}}},
		{"child dies and comes again", reload, listens + old, []sight{
			{100 * ms, listens + old + child, waiting}, {500 * ms, listens + old, waiting},
			{900 * ms, listens + old + strings.ReplaceAll(child, "20", "21"), waiting}, {1800 * ms, listens + old, waiting}, {1900 * ms, listens + old, Refused}}},
		{"child dies unseen", reload, listens + old, []sight{
			{100 * ms, listens + oldReap, waiting}, {2 * time.Second, listens + oldReap, waiting}, {2100 * ms, listens + oldReap, Refused}}},
		{"child is a zombie", reload, listens + old, []sight{
			{100 * ms, listens + old + zombie, waiting}, {2100 * ms, listens + old + zombie, Refused}}},
		{"child hangs", reload, listens + old, []sight{
			{20 * time.Second, listens + newcome + old + child, waiting}, {30 * time.Second, listens + newcome + old + child, Hung}}},
		{"both serve", reload, listens + old, []sight{{30 * time.Second, listens + newcome + old + child + "pidfile 20\n", Stalled}}},
		{"dies of the signal", reload, listens + old, []sight{{100 * ms, "", waiting}, {599 * ms, "", waiting}, {600 * ms, "", Dead}}},
		{"drains and ends", reload, listens + old, []sight{{100 * ms, old, waiting}, {5 * time.Second, old, waiting}, {6 * time.Second, "", waiting}, {7 * time.Second, "", Dead}}},
		{"dies, the unit starts it again", reload, active + listens + old, []sight{{100 * ms, again, Dead}}},
		{"was started again", reload, active + listens + old, []sight{{300 * ms, counted + newcome + orphan, Dead}}},
		{"restart waits for its job", restart, active + listens + old, []sight{
			{100 * ms, queued, waiting}, {5 * time.Second, queued, waiting}, {6 * time.Second, active + newcome + orphan, taken}}},
		{"restart does not stop it", restart, active + listens + old, []sight{{10 * time.Second, active + listens + old, Ignored}}},
		{"starts", start, "", []sight{{100 * ms, "", waiting}, {200 * ms, orphan, waiting}, {300 * ms, newcome + orphan, taken}}},
		{"starts and fails", start, "", []sight{{100 * ms, failed, waiting}, {600 * ms, failed, Dead}}},
		{"starts again and again", start, "", []sight{{100 * ms, active + orphan, waiting}, {400 * ms, counted + orphan, Dead}}},
		{"starts and never listens", start, "", []sight{{29 * time.Second, orphan, waiting}, {30 * time.Second, orphan, Hung}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			f := look(t, cfg, c.before)
			w := newWatch("v2", cfg.snapshot(f, spot{main: f.procs[10]}), c.kind, 30*time.Second)
			for _, s := range c.then {
				if got := w.see(look(t, cfg, s.text), s.at); got != s.want {
					t.Fatalf("at %v: verdict %q, want %q", s.at, got, s.want)
				}
			}
		})
	}
}

// As gunicorn's, whose workers end soon after each start: in between there is none.
func TestANewMasterWithoutItsWorkersHasNotTakenOver(t *testing.T) {
	cfg := testConfig()
	cfg.Kind, cfg.Steps = ChildTakeover, []Step{{Signal: "USR2"}}
	f := look(t, cfg, "listen 10\nlisten 11\n"+old+"proc 11 10 101 S 0\nino 11 1:1\n")
	w := newWatch("v2", cfg.snapshot(f, spot{main: f.procs[10]}), reload, 30*time.Second)
	w.how = cfg
	for _, s := range []sight{
		{100 * ms, newcome + orphan, waiting},
		{200 * ms, newcome + "listen 21\n" + orphan + "proc 21 20 201 S 0\nino 21 1:2\n", taken},
		{30 * time.Second, newcome + orphan, Stalled},
	} {
		if got := w.see(look(t, cfg, s.text), s.at); got != s.want {
			t.Errorf("at %v: verdict %q, want %q", s.at, got, s.want)
		}
	}
}

// Takeovers that only the system's kind can judge.
func TestVerdictsByKind(t *testing.T) {
	const (
		work  = "proc 11 10 101 S 0\nino 11 1:1\nlisten 11\n"
		work2 = "proc 12 10 102 S 0\nino 12 1:1\nlisten 12\n"
		fresh = "proc 20 10 200 S 0\nino 20 1:2\nlisten 20\n"
		twins = "proc 20 1 200 S 0\nino 20 1:2\nlisten 20\nproc 21 1 201 S 0\nino 21 1:2\nlisten 21\n"
		image = "proc 10 1 100 S 7 70\nexe 10 /usr/bin/ruby\nino 10 9:9\nin 10 v1\n"
		anew  = "proc 10 1 100 S 7 71\nexe 10 /usr/bin/ruby\nino 10 9:9\nin 10 v2\n"
		temp  = "proc 20 10 200 S 0\nino 20 1:2\nlisten 20\n"
		pair  = fresh + "proc 21 10 201 S 0\nino 21 1:2\nlisten 21\n"
	)
	dies := func(pid string) string { return strings.ReplaceAll(fresh, "20", pid) }
	for _, c := range []struct {
		name   string
		how    Config
		before string
		then   []sight
	}{
		{"a master keeps its program", Config{Kind: MasterWorker}, listens + old + work, []sight{
			{100 * ms, listens + old + work + fresh, waiting}, {200 * ms, listens + old + fresh, waiting}, {800 * ms, listens + old + fresh, taken}}},
		{"workers end as soon as they are started", Config{Kind: MasterWorker}, listens + old + work, []sight{
			{100 * ms, listens + old + dies("21"), waiting}, {200 * ms, listens + old + dies("22"), waiting}, {300 * ms, listens + old + dies("23"), waiting},
			{400 * ms, listens + old, Stalled}}},
		{"workers end unseen", Config{Kind: MasterWorker}, listens + old + work, []sight{
			{10 * time.Second, listens + old, waiting}, {30 * time.Second, listens + old, Stalled}}},
		{"a new worker comes late", Config{Kind: MasterWorker}, listens + old + work, []sight{
			{31 * time.Second, listens + old + fresh, waiting}, {34 * time.Second, listens + old + fresh, taken}}},
		{"new workers end, the old ones stay", Config{Kind: MasterWorker}, listens + old + work, []sight{
			{100 * ms, listens + old + work + dies("21"), waiting}, {200 * ms, listens + old + work + dies("22"), waiting},
			{300 * ms, listens + old + work + dies("23"), waiting}, {400 * ms, listens + old + work, Refused}}},
		{"the roll is stuck half way", Config{Kind: MasterWorker}, listens + old + work + work2, []sight{
			{20 * time.Second, listens + old + work + fresh, waiting}, {30 * time.Second, listens + old + work + fresh, Partial}}},
		{"a worker that ends is no child that died", Config{Kind: MasterWorker}, listens + old + work + work2, []sight{
			{100 * ms, listens + oldReap + work, waiting}, {9 * time.Second, listens + oldReap + work, waiting}}},
		{"a child is no master", Config{Kind: ChildTakeover}, listens + old + work, []sight{{20 * time.Second, listens + old + fresh, waiting}}},
		{"an interpreter executes itself anew", Config{Kind: SamePID}, listens + image, []sight{
			{100 * ms, listens + image, waiting}, {200 * ms, listens + anew, taken}}},
		{"it is asked whether it answers", Config{Kind: SamePID, Foreign: true}, listens + image, []sight{{200 * ms, listens + anew, unproven}}},
		{"a second app is started beside it, and is never seen", Config{Steps: secondFirst}, listens + old, []sight{{9 * time.Second, listens + old, waiting}, {10 * time.Second, listens + old, Refused}}},
		{"a master with one worker starts two", Config{Kind: MasterWorker, Alone: true}, listens + old + work, []sight{
			{100 * ms, listens + old + pair, waiting}, {700 * ms, listens + old + pair, waiting}, {4 * time.Second, listens + old + pair, Split}}},
		{"a master with one worker is restarted", Config{Kind: MasterWorker, Alone: true}, listens + old + work, []sight{
			{5 * time.Second, fresh + "proc 21 20 201 S 0\nino 21 1:2\nlisten 21\n", waiting}, {6 * time.Second, fresh + "proc 21 20 201 S 0\nino 21 1:2\nlisten 21\n", taken}}},
		{"it is asked in vain", Config{Kind: SamePID}, listens + image, []sight{{10 * time.Second, listens + image, Ignored}}},
		{"what serves meanwhile is not it", Config{Kind: SamePID, Alone: true}, listens + old, []sight{
			{5 * time.Second, listens + old + temp, waiting}, {6 * time.Second, listens + oldExec + temp, waiting}, {13 * time.Second, listens + oldExec, taken}}},
		{"it stays beside", Config{Kind: SamePID, Alone: true}, listens + old, []sight{{30 * time.Second, listens + oldExec + temp, Partial}}},
		{"two apps of two triggers", Config{Kind: ChildTakeover}, listens + old, []sight{
			{100 * ms, twins, waiting}, {3 * time.Second, twins, waiting}, {3100 * ms, twins, Split}}},
		{"one of them ends", Config{Kind: ChildTakeover}, listens + old, []sight{{100 * ms, twins, waiting}, {time.Second, newcome + orphan, taken}}},
		{"several are right", Config{Kind: ReplaceAll, Several: true}, listens + old, []sight{{100 * ms, listens + old + twins, waiting}, {200 * ms, twins, taken}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			f := look(t, cfg, c.before)
			w := newWatch("v2", cfg.snapshot(f, spot{main: f.procs[10]}), reload, 30*time.Second)
			w.how, w.probe = &c.how, c.how.Foreign
			for _, s := range c.then {
				if got := w.see(look(t, cfg, s.text), s.at); got != s.want {
					t.Fatalf("at %v: verdict %q, want %q", s.at, got, s.want)
				}
			}
		})
	}
}

func TestACommandIsJudgedByItsEnd(t *testing.T) {
	const runs = "proc 99 1 900 S 0\nexe 99 /bin/sh\n"
	cfg := testConfig()
	for _, c := range []struct {
		name, text string
		at         time.Duration
		want       Verdict
	}{
		{"it runs", runs, 20 * time.Second, waiting},
		{"it runs for ever", runs, 30 * time.Second, Hung},
		{"what listens is not all yet", runs + newcome + orphan, 20 * time.Second, waiting},
		{"it has become the app", "proc 99 1 900 S 0\nino 99 1:2\nlisten 99\n", time.Second, taken},
		{"it failed", "command exit=1 99\n", time.Second, Refused},
		{"another ended", runs + "command exit=1 98\n", 20 * time.Second, waiting},
		{"it did nothing", "command exit=0 99\n", 10 * time.Second, Ignored},
	} {
		w := newWatch("v2", cfg.snapshot(look(t, cfg, listens+old), spot{}), reload, 30*time.Second)
		text := listens + old + c.text
		if strings.Contains(c.text, "listen ") { // what was old has ended
			text = c.text
		}
		f := look(t, cfg, text)
		f.helper = key{99, 900}
		if got := w.see(f, c.at); got != c.want {
			t.Errorf("%s: verdict %q, want %q", c.name, got, c.want)
		}
	}
}

// A new process that was seen, and is gone with the old one, may have taken over: that is no
// app without a graceful restart.
func TestWhatCameAndWentIsTold(t *testing.T) {
	for _, c := range []struct{ name, seen, text, hint string }{
		{"nothing came", "", "pid 10 ended and nothing listens on port 80", ""},
		{"one came", child, "pid 10 ended, the new process (pid 20) too, and nothing listens on port 80",
			"the new release came and did not last: see its log above; try it by hand on the host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			before := look(t, cfg, listens+old)
			w := newWatch("v2", cfg.snapshot(before, spot{main: before.procs[10]}), reload, 30*time.Second)
			w.see(look(t, cfg, listens+old+c.seen), 100*ms)
			gone := look(t, cfg, "")
			w.see(gone, time.Second)
			if got := w.see(gone, 2*time.Second); got != Dead {
				t.Fatalf("verdict %q", got)
			}
			if got := w.tell(gone, Dead, cfg); got != c.text {
				t.Errorf("told %q, want %q", got, c.text)
			}
			if got := w.cameAndWent(); got != c.hint {
				t.Errorf("hint %q, want %q", got, c.hint)
			}
		})
	}
}

func TestAStartCommandThatEndedWellMayHaveLeftAProcessBehind(t *testing.T) {
	cfg := testConfig()
	for _, c := range []struct {
		command string
		want    Verdict
	}{{"exit=0 99", waiting}, {"exit=1 99", Dead}} {
		w := newWatch("v2", cfg.snapshot(look(t, cfg, ""), spot{}), start, 30*time.Second)
		text := "command " + c.command + "\n"
		f := look(t, cfg, text)
		f.helper = key{99, 900}
		w.see(f, 0)
		if got := w.see(f, 2*time.Second); got != c.want {
			t.Errorf("%s: verdict %q, want %q", c.command, got, c.want)
		}
	}
}
