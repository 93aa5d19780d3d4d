package proc

import (
	"slices"
	"testing"
)

func TestLocate(t *testing.T) {
	const (
		drains = "proc 10 1 100 S 0\nino 10 1:1\n"
		serves = "proc 20 10 200 S 0\nino 20 1:2\n"
		shell  = "proc 10 1 100 S 0\nino 10 9:9\nexe 10 /bin/sh\n"
	)
	const node = "proc 10 1 100 S 0\nexe 10 /usr/bin/node\nproc 11 10 101 S 0\nexe 11 /usr/bin/node\nproc 12 10 102 S 0\nexe 12 /usr/bin/node\nproc 13 10 103 S 0\nexe 13 /bin/sh\n"
	for _, c := range []struct {
		set                       func(c *Config)
		name, unit, pidfile, text string
		main                      int
		deaf                      bool
		draining                  int
		err                       string
	}{
		{name: "nothing runs"},
		{name: "the pid command agrees", set: func(c *Config) { c.PIDCommand = []string{"x"} }, text: "named 10\n" + listens + old, main: 10},
		{name: "the pid command prints another", set: func(c *Config) { c.PIDCommand = []string{"x"} }, text: "named 30\n" + helper + listens + old,
			err: "the pid command prints another process than the one that listens: port 80: pid 10 (parent 1, unseen); pid_command: pid 30 (parent 10, /usr/bin/git)"},
		{name: "the pid command prints nothing", set: func(c *Config) { c.PIDCommand = []string{"x"} }, text: "named \n" + listens + old,
			err: "the pid command prints no process id: port 80: pid 10 (parent 1, unseen); pid_command: no process"},
		{name: "node's master alone has the port", set: func(c *Config) { c.Kind, c.Workers = MasterWorker, Children }, text: listens + node, main: 10},
		{name: "HAProxy's master has no port", unit: "u", pidfile: "p", set: func(c *Config) { c.Target = Parent }, main: 10,
			text: active + "pidfile 10\nlisten 11\n" + node},
		{name: "a wrapper that the unit names", unit: "u", set: func(c *Config) { c.Target = Named }, main: 10,
			text: active + "group 10 30\nlisten 30\n" + old + "proc 30 1 300 S 0\nexe 30 /usr/sbin/haproxy\n"},
		{name: "nobody names the wrapper", set: func(c *Config) { c.Target = Named }, text: listens + old,
			err: "the process to signal is named by none: port 80: pid 10 (parent 1, unseen)"},
		{name: "two wrappers", unit: "u", pidfile: "p", set: func(c *Config) { c.Target = Named }, text: active + "pidfile 20\n" + listens + old + orphan,
			err: "the sources name several processes: port 80: pid 10 (parent 1, unseen); unit u: active, main pid 10 (parent 1, unseen); pid_file p: pid 20 (parent 1, unseen)"},
		{name: "pm2's daemon has the port, its workers are named", set: func(c *Config) { c.Workers, c.Several, c.PIDCommand = ByName, true, []string{"x"} },
			text: "named 11 12\nlisten 10\n" + node, main: 11},
		{name: "none is named, and somebody has the port", set: func(c *Config) { c.Workers, c.Several, c.PIDCommand = ByName, true, []string{"x"} },
			text: "named \nlisten 10\n" + node, err: "the pid command prints no process id: port 80: pid 10 (parent 1, /usr/bin/node); pid_command: no process"},
		{name: "none is named, and nobody has the port", set: func(c *Config) { c.Workers, c.Several, c.PIDCommand = ByName, true, []string{"x"} },
			text: "named \n" + node},
		{name: "several side by side", set: func(c *Config) { c.Several = true }, text: listens + newcome + old + orphan, main: 10},
		{name: "a listener", text: listens + old, main: 10},
		{name: "a master and its worker", text: "listen 10\nlisten 20\n" + old + child, main: 10},
		{name: "all agree", unit: "u", pidfile: "p", text: active + "pidfile 10\n" + listens + old, main: 10},
		{name: "the old one drains", unit: "u", pidfile: "p", main: 20, draining: 1,
			text: active + "pidfile 20\n" + newcome + drains + serves},
		{name: "the old one drains, no longer its parent", unit: "u", main: 20, draining: 1,
			text: active + "group 10 20\n" + newcome + drains + "proc 20 1 200 S 0\nino 20 1:1\n"},
		{name: "a shell started it", unit: "u", text: active + newcome + shell + serves, main: 20},
		{name: "a master that does not listen", pidfile: "p", text: "pidfile 10\n" + newcome + shell + serves, main: 10},
		{name: "runs and does not listen", unit: "u", text: active + old, main: 10, deaf: true},
		{name: "a pid file left behind", pidfile: "p", text: "pidfile 30\n" + helper},
		{name: "a stranger on another address", text: "listen 30\n" + listens + old + "proc 30 1 300 S 0\nexe 30 /usr/bin/x\n", main: 10},
		{name: "two of ours", text: listens + newcome + old + orphan,
			err: "2 processes listen side by side: port 80: pid 10 (parent 1, unseen), pid 20 (parent 1, unseen)"},
		{name: "the pid file is missing", pidfile: "p", text: listens + old,
			err: "the pid file names no living process: port 80: pid 10 (parent 1, unseen); pid_file p: no process"},
		{name: "the pid file names a worker", pidfile: "p", text: "pidfile 20\nlisten 10\nlisten 20\n" + old + child,
			err: "the pid file names another process than the one that listens: " +
				"port 80: pid 10 (parent 1, unseen), pid 20 (parent 10, unseen); pid_file p: pid 20 (parent 10, unseen)"},
		{name: "the unit is down", unit: "u", text: failed + listens + old,
			err: "the unit has no main process: port 80: pid 10 (parent 1, unseen); unit u: failed, main no process"},
		{name: "the unit runs another", unit: "u", text: "unit ActiveState=active\nunit MainPID=30\n" + listens + old + "proc 30 1 300 S 0\nexe 30 /usr/bin/x\n",
			err: "the unit's main process is another than the one that listens: " +
				"port 80: pid 10 (parent 1, unseen); unit u: active, main pid 30 (parent 1, /usr/bin/x)"},
		{name: "a process that we may not see", text: "listen hidden\n",
			err: "processes: port 80 is held by a process that the SSH user may not see"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Unit, cfg.PIDFile = c.unit, c.pidfile
			if c.set != nil {
				c.set(cfg)
			}
			s, err := cfg.locate(look(t, cfg, c.text))
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("error %v\nwant  %s", err, c.err)
				}
				return
			}
			must(t, err)
			pid := 0
			if s.main != nil {
				pid = s.main.pid
			}
			if pid != c.main || s.deaf != c.deaf || len(s.draining) != c.draining {
				t.Errorf("main %d, deaf %v, draining %d", pid, s.deaf, len(s.draining))
			}
		})
	}
}

func TestReleaseOfAProcess(t *testing.T) {
	for _, c := range []struct {
		name, text, release string
		runsV2              answer
	}{
		{"by inode, elsewhere installed", "ino 10 1:2\nexe 10 /srv/bin/shop", "v2", yes},
		{"by path, after a prune", "ino 10 7:7\nexe 10 /r/v2/app (deleted)", "v2", yes},
		{"another file of the release", "ino 10 7:7\nexe 10 /r/v2/bin/worker", "v2", yes},
		{"another release", "ino 10 1:1\nexe 10 /r/v1/app", "v1", no},
		{"an old program whose directory is new", "ino 10 1:1\nin 10 v2", "v1", no},
		{"an interpreter by its directory", "ino 10 9:9\nexe 10 /usr/bin/node\nin 10 v2", "v2", yes},
		{"an interpreter in two releases", "ino 10 9:9\nexe 10 /usr/bin/node\nin 10 v1\nin 10 v2", "?", no},
		{"an interpreter that shows nothing", "ino 10 9:9\nexe 10 /usr/bin/node", "?", unsure},
		{"one that we may not see", "status 10 Uid 33", "?", unsure},
		{"two releases with one file", "entry 1:2 /r/v3/app\nino 10 1:2", "v2", yes},
	} {
		f := look(t, testConfig(), "proc 10 1 100 S 0\n"+c.text+"\n")
		p := f.procs[10]
		if got := f.releaseOf(p); got != c.release {
			t.Errorf("%s: release %q, want %q", c.name, got, c.release)
		}
		if got := f.runs(p, "v2"); got != c.runsV2 {
			t.Errorf("%s: runs v2: %v, want %v", c.name, got, c.runsV2)
		}
	}
}

func TestInterpretersAreKnownByName(t *testing.T) {
	for exe, want := range map[string]bool{
		"/usr/bin/python3.11": true, "/usr/bin/node (deleted)": true, "/usr/lib/jvm/bin/java": true, "/srv/shop/bin/shop": false,
	} {
		if got := interpreted(&process{exe: exe}); got != want {
			t.Errorf("%s: %v", exe, got)
		}
	}
}

func TestOnlyWholeAnswersCount(t *testing.T) {
	if _, complete := parse([]byte("root /r\nlisten 10\nproc 10 1 100"), testConfig()); complete {
		t.Error("an answer cut short is taken for whole")
	}
	if _, complete := parse([]byte("root /r\nlisten 10\nend\n"), testConfig()); complete {
		t.Error("an answer without what was seen of processes is taken for whole")
	}
}

func TestSystemctlIsRead(t *testing.T) {
	f := look(t, testConfig(), "unit Type=simple\nunit PIDFile=/run/shop/pid\nunit MainPID=412\nunit NRestarts=3\n"+
		"unit ControlGroup=/system.slice/shop.service\nunit CanReload=yes\nunit ActiveState=active\nunit SubState=running\ngroup 412 415 \n")
	u := f.unit
	if u.main != 412 || u.restarts != 3 || !u.well() || u.busy() || !u.is("CanReload", "yes") || !slices.Equal(f.members, []int{412, 415}) {
		t.Errorf("unit %+v, members %v", u, f.members)
	}
}

func TestEveryWordOfAVersionAnswerMustMatch(t *testing.T) {
	for answer, want := range map[string]bool{
		"v2": true, `{"version":"v2"}`: true, "shop v2\n": true, "v2-dirty": false, "v21": false, "": false,
	} {
		if got := hasWord(answer, revisionOf("v2-0123abcd")); got != want {
			t.Errorf("%q: %v", answer, got)
		}
	}
	if got := revisionOf("adopted"); got != "adopted" {
		t.Errorf("revision %q", got)
	}
}

func TestLogLinesAreCleanedAndBounded(t *testing.T) {
	text := "\x1b[31mred\x1b[0m\r\n::error::x\n\n"
	for range 30 {
		text += "line\n"
	}
	if got := clean("\x1b[31mred\r\n::error::x\n"); !slices.Equal(got, []string{`\x1b[31mred`, ": :error::x"}) {
		t.Errorf("lines %q", got)
	}
	if got := clean(text); len(got) != logLines {
		t.Errorf("%d lines", len(got))
	}
}
