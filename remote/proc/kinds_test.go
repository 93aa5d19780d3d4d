package proc

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kindHost has an app of a kind in it, taken over as the preset of that kind does.
func kindHost(t *testing.T, as string, set func(c *Config)) *host {
	t.Helper()
	h := newHost(t)
	h.cfg.Signal, h.cfg.Settle = "USR2", time.Second
	h.cfg.Start = append([]string{"sh", "-c", `exec "$@" >>log 2>&1`, "sh"}, h.kindArgv(as)...)
	h.cfg.Timeout = 30 * time.Second
	set(&h.cfg)
	return h
}

func (h *host) kindArgv(as string) []string {
	exe, workers := h.path("current/app"), "2"
	if as == "parent" { // HAProxy has one
		workers = "1"
	}
	return []string{exe, "-as", as, "-workers", workers, "-exec", exe, "-pidfile", h.path("pid"), "-addr", h.addr()}
}

var kinds = []struct {
	as        string
	set       func(c *Config)
	constant  bool // the pid file's process stays
	processes int
}{
	{"prefork", func(c *Config) { c.Kind = MasterWorker }, true, 3},
	{"cluster", func(c *Config) { c.Kind, c.Workers = MasterWorker, Children }, true, 3},
	{"parent", func(c *Config) { c.Kind, c.Target, c.PIDFile = MasterWorker, Parent, "" }, true, 2},
	{"exec", func(c *Config) { c.Kind = SamePID }, true, 1},
	{"dance", func(c *Config) { c.Kind, c.Steps, c.Back = ChildTakeover, upgrade, upgradeBack }, false, 3},
	{"reuseport", func(c *Config) {
		c.PIDFile, c.Kind, c.Several, c.Signal, c.Steps = "", ReplaceAll, true, "TERM", secondFirst
	}, false, 1},
}

var (
	upgrade = []Step{{Signal: "USR2", Until: NewServes}, {Signal: "WINCH", Until: NewAlone}, {Signal: "QUIT", Until: OldGone}}

	upgradeBack = []Step{{Signal: "HUP"}, {Signal: "QUIT", ToNew: true}}

	secondFirst = []Step{{Start: true, Until: NewServes}, {Signal: "TERM", Until: OldGone}}
)

func TestEveryKindTakesOverAndGoesBack(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.as, func(t *testing.T) {
			t.Parallel()
			h := kindHost(t, k.as, k.set)
			a := h.up("v1", "")
			must(t, a.Settled(t.Context(), "v1"))
			h.release("v2", "")
			first := h.pid()
			for _, id := range []string{"v2", "v1", "v2"} {
				h.flip(id)
				must(t, a.Reload(t.Context(), id))
				must(t, a.Settled(t.Context(), id))
				must(t, a.Alive(t.Context(), id))
				if h.cfg.PIDFile != "" && (h.pid() == first) != k.constant {
					t.Errorf("main process %d, was %d", h.pid(), first)
				}
				r, err := a.Running(t.Context())
				must(t, err)
				if p := h.processes(); r.Release != id || len(p) != k.processes {
					t.Errorf("running %+v, processes %v", r, p)
				}
				if v := h.version(); v != id && k.as != "cluster" { // there the old master answers
					t.Errorf("version %q, want %q", v, id)
				}
			}
		})
	}
}

// badKinds is a release that fails, by kind, and what comes of it.
func TestEveryKindTellsABadReleaseAndGoesBack(t *testing.T) {
	for _, k := range []struct {
		as, mode, code string
		set            func(c *Config)
	}{
		// The old workers end while the new ones do: which is seen first is a matter of time.
		{"prefork", "crash", "FD-TAKEOVER-STALLED FD-TAKEOVER-REFUSED", func(c *Config) { c.Kind, c.RestartFailed = MasterWorker, true }},
		{"cluster", "crash", "FD-TAKEOVER-STALLED FD-TAKEOVER-REFUSED", func(c *Config) { c.Kind, c.Workers, c.RestartFailed = MasterWorker, Children, true }},
		// It has the socket before it ends: of an app that is not asked, that is a takeover.
		{"exec", "crash", "FD-TAKEOVER-DEAD FD-LATE-DEATH", func(c *Config) { c.Kind, c.RestartFailed = SamePID, true }},
		// The new master lives; that its workers end again and again has to be seen in time.
		{"dance", "crash", "FD-TAKEOVER-REFUSED FD-TAKEOVER-HUNG", func(c *Config) { c.Kind, c.Steps, c.Back = ChildTakeover, upgrade, upgradeBack }},
		// So does one whose workers end a moment after each start, as gunicorn's: all that took over are gone then.
		{"dance", "late", "FD-LATE-DEATH FD-TAKEOVER-REFUSED FD-TAKEOVER-STALLED", func(c *Config) {
			c.Kind, c.Steps, c.Back, c.Settle = ChildTakeover, upgrade, upgradeBack, 2*time.Second
		}},
		{"reuseport", "crash", "FD-TAKEOVER-REFUSED", func(c *Config) {
			c.PIDFile, c.Kind, c.Several, c.Signal, c.Steps = "", ReplaceAll, true, "TERM", secondFirst
		}},
	} {
		t.Run(k.as, func(t *testing.T) {
			t.Parallel()
			h := kindHost(t, k.as, k.set)
			a := h.up("v1", "")
			h.release("v2", k.mode)
			h.flip("v2")
			began := time.Now()
			err := a.Reload(t.Context(), "v2")
			if err == nil {
				err = a.Settled(t.Context(), "v2")
			}
			if !slices.Contains(strings.Fields(k.code), codeOf(err)) {
				t.Fatalf("error %v [%s], want %s", err, codeOf(err), k.code)
			}
			t.Logf("%v after %v", err, time.Since(began))
			h.flip("v1")
			must(t, a.Restore(t.Context(), "v1"))
			must(t, a.Settled(t.Context(), "v1"))
			if v := h.version(); v != "v1" {
				t.Errorf("version %q", v)
			}
			if r, err := a.Running(t.Context()); err != nil || r.Release != "v1" {
				t.Errorf("running %+v: %v", r, err)
			}
		})
	}
}

func TestAnOldWorkerThatStaysIsPartial(t *testing.T) {
	t.Parallel()
	h := kindHost(t, "prefork", func(c *Config) { c.Kind = MasterWorker })
	h.up("v1", "half")
	h.release("v2", "")
	h.flip("v2")
	h.cfg.Timeout = 6 * time.Second
	err := h.app().Reload(t.Context(), "v2")
	wantCode(t, err, "FD-TAKEOVER-PARTIAL")
	if want := "takeover: 2 old and 2 new processes serve after 6s"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// told keeps what was said.
func told(c *Config) *[]string {
	var list []string
	c.Say = func(code, text string) { list = append(list, text+" ["+code+"]") }
	return &list
}

func TestALostSignalIsMadeGoodByARestart(t *testing.T) {
	t.Parallel()
	var said *[]string
	h := kindHost(t, "prefork", func(c *Config) {
		c.Kind, c.Preset, c.RestartIgnored = MasterWorker, "overseer", true
		said = told(c)
	})
	a := h.up("v1", "deaf")
	h.release("v2", "")
	h.flip("v2")
	wantMadeGood(t, h, a, said, ` did not answer USR2, which happens with preset "overseer"`)
}

// wantMadeGood: v2 is taken over by a restart, and people are told why.
func wantMadeGood(t *testing.T, h *host, a *App, said *[]string, why string) {
	t.Helper()
	must(t, a.Reload(t.Context(), "v2"))
	must(t, a.Settled(t.Context(), "v2"))
	if h.version() != "v2" || len(*said) != 1 ||
		!strings.HasSuffix((*said)[0], why+": it is restarted while the host is drained [FD-RESTARTED]") {
		t.Errorf("version %q, said %q", h.version(), *said)
	}
}

func TestASignalTakenTwiceIsMadeGoodByARestart(t *testing.T) {
	t.Parallel()
	var said *[]string
	h := kindHost(t, "prefork", func(c *Config) {
		c.Kind, c.Preset, c.RestartIgnored, c.Alone = MasterWorker, "overseer", true, true
		c.Start = append(c.Start, "-workers", "1")
		said = told(c)
	})
	a := h.up("v1", "twice")
	h.release("v2", "")
	h.flip("v2")
	wantMadeGood(t, h, a, said, ` started two workers on one USR2, which happens with preset "overseer"`)
}

func TestAnOldProcessThatMissedItsEndIsMadeGoodByARestart(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Kind, h.cfg.Preset, h.cfg.RestartIgnored = ChildTakeover, "beego-grace", true
	said := told(&h.cfg)
	a := h.up("v1", "stays")
	h.release("v2", "")
	h.flip("v2")
	wantMadeGood(t, h, a, said, ` did not end once another process took over on HUP, which happens with preset "beego-grace"`)
	wantAlone(t, h, a, "v2")
}

// As pm2's restart does, whose words come before its deeds.
func TestAStartOfSeveralIsOverWhenItsCommandIs(t *testing.T) {
	t.Parallel()
	h := kindHost(t, "reuseport", func(c *Config) {
		c.PIDFile, c.Kind, c.Several, c.Method, c.Settle = "", ReplaceAll, true, Restart, 3*time.Second
	})
	h.cfg.Start[2] = `("$@" >>log 2>&1 & echo $! >first); sleep 2; kill $(cat first); ("$@" >>log 2>&1 &); sleep 1`
	a := h.up("v1", "")
	must(t, a.Settled(t.Context(), "v1"))
	wantAlone(t, h, a, "v1")
}

func TestAWedgedAppIsRestartedByTheUndo(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Kind, h.cfg.Preset, h.cfg.RestartFailed = ChildTakeover, "endless", true
	said := told(&h.cfg)
	a := h.up("v1", "")
	h.release("v2", "crash")
	h.flip("v2")
	old := h.pid()
	wantCode(t, a.Reload(t.Context(), "v2"), "FD-TAKEOVER-REFUSED")
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1"))
	want := []string{`after a takeover that failed an app of preset "endless" is of no use any more: it is restarted while the host is drained [FD-RESTARTED]`}
	if h.pid() == old || h.version() != "v1" || !slices.Equal(*said, want) {
		t.Errorf("pid %d was %d, version %q, said %q", h.pid(), old, h.version(), *said)
	}
}

func TestTwoTriggersAreASplit(t *testing.T) {
	t.Parallel()
	h := kindHost(t, "reuseport", func(c *Config) { c.PIDFile, c.Method, c.Kind = "", Command, ChildTakeover })
	// As facebookgo/grace on two signals: two new processes, and the old one ends.
	h.cfg.Command = []string{"sh", "-c", `for i in 1 2; do setsid "$@" >>log 2>&1 & done; sleep 0.5; kill -TERM $(cat one)`, "sh"}
	h.cfg.Command = append(h.cfg.Command, h.kindArgv("reuseport")...)
	a := h.up("v1", "")
	r, err := a.Running(t.Context())
	must(t, err)
	must(t, os.WriteFile(h.path("one"), []byte(strconv.Itoa(r.PID)), 0o644))
	h.release("v2", "")
	h.flip("v2")
	err = a.Reload(t.Context(), "v2")
	wantCode(t, err, "FD-TAKEOVER-SPLIT")
	if want := "takeover: 2 new processes serve side by side"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1"))
	if p := h.processes(); h.version() != "v1" || len(p) != 1 {
		t.Errorf("version %q, processes %v", h.version(), p)
	}
}

func TestACommandThatFailsIsRefusedWithItsWords(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Method, h.cfg.Command = Command, []string{"sh", "-c", "echo no process shop; exit 4"}
	a := h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	err := a.Reload(t.Context(), "v2")
	wantCode(t, err, "FD-TAKEOVER-REFUSED")
	if !strings.HasPrefix(err.Error(), "takeover: the command ended with 4; pid ") {
		t.Errorf("error %q", err)
	}
	wantLine(t, evidenceOf(err), "no process shop")
	must(t, a.Restore(t.Context(), "v1"))
}

func TestACommandTakesOver(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Method, h.cfg.Command = Command, []string{"sh", "-c", `kill -HUP $(cat pid)`}
	h.cfg.PIDCommand = []string{"cat", h.path("pid")}
	a := h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	must(t, a.Reload(t.Context(), "v2"))
	must(t, a.Settled(t.Context(), "v2"))
	if h.version() != "v2" {
		t.Errorf("version %q", h.version())
	}
}

func TestACheckThatFailsKeepsTheSignalBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Check = []string{"sh", "-c", "echo 'unknown directive \"lisen\"'; exit 1"}
	a := h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	old := h.pid()
	err := a.Reload(t.Context(), "v2")
	wantCode(t, err, "FD-RELOAD-CHECK")
	wantLine(t, evidenceOf(err), `unknown directive "lisen"`)
	if h.pid() != old || h.version() != "v1" {
		t.Errorf("pid %d was %d, version %q", h.pid(), old, h.version())
	}
	h.cfg.Check = []string{"{argv}", "-h"} // flag's own help ends with 0
	must(t, New(h.cfg, local{}).Reload(t.Context(), "v2"))
}

func TestAProgramThatKnowsNoSignalsIsSentNone(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	path, err := build(filepath.Dir(program), "plain")
	must(t, err)
	h.program = path
	h.cfg.Start = []string{h.path("current/app"), "-addr", h.addr(), "-pidfile", h.path("pid")}
	a := h.up("v1", "")
	for h.pid() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	h.release("v2", "")
	h.flip("v2")
	_, _, err = a.Check(t.Context())
	wantCode(t, err, "FD-PRESET-MISMATCH")
	err = a.Reload(t.Context(), "v2")
	wantCode(t, err, "FD-PRESET-MISMATCH")
	want := "reload: pid " + strconv.Itoa(h.pid()) + " is a Go program that asks for no signals: HUP would end it or be lost"
	if err.Error() != want || h.version() != "plain" {
		t.Errorf("error %q, want %q; version %q", err, want, h.version())
	}
}

func TestAVersionIsAskedForOnlyWhereTheProcessDoesNotTell(t *testing.T) {
	t.Parallel()
	asked := 0
	h := kindHost(t, "dance", func(c *Config) {
		c.Kind, c.Steps, c.Back = ChildTakeover, upgrade, upgradeBack
		c.VersionProbe = func(context.Context) (string, error) { asked++; return "v2", nil }
	})
	a := h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	must(t, a.Reload(t.Context(), "v2"))
	if asked != 0 {
		t.Errorf("asked %d times", asked)
	}
}
