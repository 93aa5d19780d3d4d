package proc

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeSystemd answers for a unit that has been up for two minutes, unless show is nothing.
func fakeSystemd(t *testing.T, h *host, show string) local {
	t.Helper()
	bin := t.TempDir()
	script := "#!/bin/sh\nup=$(cut -d. -f1 /proc/uptime)\necho ActiveState=active\necho MainPID=$(cat " + h.path("pid") + ")\n"
	if show != "" {
		script += "echo ActiveEnterTimestampMonotonic=$(( (up - 120) * 1000000 ))\ncat <<'SHOW'\n" + show + "\nSHOW\n"
	}
	must(t, os.WriteFile(filepath.Join(bin, "systemctl"), []byte(script), 0o755))
	return local{env: []string{"PATH=" + bin + ":" + os.Getenv("PATH")}}
}

// changesSeen are those of a look that is made now.
func (a *App) changesSeen(t *testing.T) []string {
	t.Helper()
	f, err := a.look(t.Context())
	must(t, err)
	return a.changes(t.Context(), f)
}

func TestWhatChangedSinceTheStartIsTold(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	unit, env, late := h.path("shop.service"), h.path("env"), h.path("late.conf")
	for _, f := range []string{unit, env, late} {
		must(t, os.WriteFile(f, nil, 0o644))
		at := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(f, at, at))
	}
	show := "FragmentPath=" + unit + "\nDropInPaths=" + late + "\nEnvironmentFiles=" + env + " (ignore_errors=no)\nNeedDaemonReload=no"
	h.cfg.Unit = "shop.service"
	run := fakeSystemd(t, h, show)
	if got := New(h.cfg, run).changesSeen(t); got != nil {
		t.Errorf("told %q", got)
	}
	now := time.Now()
	must(t, os.Chtimes(env, now, now))
	must(t, os.Chtimes(late, now, now))
	want := []string{
		late + ` was changed since shop.service was started; a reload in place does not bring it: set reload.on_env_change = "restart", or restart the app`,
		env + ` was changed since shop.service was started; a reload in place does not bring it: set reload.on_env_change = "restart", or restart the app`,
	}
	if got := New(h.cfg, run).changesSeen(t); !slices.Equal(got, want) {
		t.Errorf("told %q\nwant %q", got, want)
	}
	h.cfg.RestartChanged = true
	if got := New(h.cfg, run).changesSeen(t); len(got) != 2 || !strings.HasSuffix(got[0], "; the app is restarted while the host is drained") {
		t.Errorf("told %q", got)
	}
	said := told(&h.cfg)
	a := New(h.cfg, run)
	f, err := a.look(t.Context())
	must(t, err)
	if must, err := a.mustRestart(t.Context(), f.unit); err != nil || !must || len(*said) != 1 || (*said)[0] != late+", "+env+" changed since the app was started: it is restarted while the host is drained [FD-RESTARTED]" {
		t.Errorf("said %q", *said)
	}
	h.cfg.Method = Restart // brings it anyway
	if got := New(h.cfg, run).changesSeen(t); got != nil {
		t.Errorf("told %q", got)
	}
}

// A reload in place would leave the new environment out, and nobody would know.
func TestAHostThatDoesNotSayWhatChangedIsNotReloaded(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	must(t, os.Symlink("env", h.path("env"))) // a loop: it cannot be told what is there
	h.cfg.Unit, h.cfg.Method, h.cfg.RestartChanged = "shop.service", Command, true
	h.cfg.Command = []string{"sh", "-c", "kill -HUP $(cat pid)"}
	for show, want := range map[string]string{
		"": "reload: asking what changed since the app was started: systemctl tells nothing of shop.service",
		"EnvironmentFiles=" + h.path("env") + " (ignore_errors=no)": "reload: asking what changed since the app was started: exit 1: it cannot be seen when " + h.path("env") + " was changed\n",
	} {
		old, a := h.pid(), New(h.cfg, fakeSystemd(t, h, show))
		warn := []string{"the app cannot be reloaded: " + strings.TrimSpace(strings.TrimPrefix(want, "reload: "))}
		if got := a.changesSeen(t); !slices.Equal(got, warn) {
			t.Errorf("told %q, want %q", got, warn)
		}
		err := a.Reload(t.Context(), "v2")
		if err == nil || err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		if h.pid() != old || h.version() != "v1" {
			t.Errorf("pid %d was %d, version %q", h.pid(), old, h.version())
		}
	}
}

func TestFilesThatSystemdHasNotReadAreTold(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Unit = "shop.service"
	got := New(h.cfg, fakeSystemd(t, h, "NeedDaemonReload=yes")).changesSeen(t)
	want := []string{"systemd has not read the files of shop.service since they were changed: run `systemctl daemon-reload`"}
	if !slices.Equal(got, want) {
		t.Errorf("told %q", got)
	}
}

func TestAnAppThatWasStartedInsideAReleaseIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dir  string // where it is started
		path string // of the program, in its directory or not
		want bool
	}{{"current", "./app", true}, {"", "current/app", false}} {
		h := newHost(t)
		h.cfg.Foreign = true
		argv := slices.Concat([]string{"env", "-u", "PWD", c.path}, h.argv()[1:])
		for i, w := range argv {
			argv[i] = strings.ReplaceAll(w, h.path("current/app"), "app")
		}
		h.cfg.Start = append([]string{"sh", "-c", `cd -P "./$0" && exec "$@" >>/dev/null 2>&1`, c.dir}, argv...)
		h.up("v1", "")
		_, warnings, err := h.app().Check(t.Context())
		must(t, err)
		is := slices.ContainsFunc(warnings, func(w string) bool {
			return strings.Contains(w, " was started inside "+h.path("releases/v1")+", not through current: ")
		})
		if is != c.want {
			t.Errorf("%s: warnings %q", c.path, warnings)
		}
	}
}

func TestAUnitStartsTheFirstOfItsPrograms(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"": "",
		"unit ExecStart={ path=/srv/shop/current/shop ; argv[]=shop -x ; ignore_errors=no }\n":       "/srv/shop/current/shop",
		"unit ExecStart={ path=/bin/a ; argv[]=a ; }\nunit ExecStart={ path=/bin/b ; argv[]=b ; }\n": "/bin/a",
		"unit ExecStart={ path=/opt/the app/shop ; argv[]=/opt/the app/shop ; argv[]=x ; pid=0 }\n":  "/opt/the app/shop",
		"unit ExecStart=\nunit FragmentPath=/etc/systemd/system/shop.service\n":                      "",
		"unit ExecStart={ path=/bin/cut\n":                                                           "",
	} {
		f, _ := parse([]byte(said), &Config{EntryOf: func(id string) string { return "/r/" + id + "/app" }})
		if got := f.unit.program(); got != want {
			t.Errorf("%q: starts %q, want %q", said, got, want)
		}
	}
}
