//go:build fleet

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every script that changes something checks the fence under a lock, and has its line in
// lates. What takes no lock only reads, but for these:
//   - prepare makes the state directory, the same each time, and the lease is the lock;
//   - freeze, unfreeze and pause are a person's word, under act.lock, and meant to reach
//     whatever runs;
//   - a stage or an adoption writes to a private directory first, and comes to the fence
//     before it is renamed to where it counts.

// reads are scripts that take no lock, by what only they have.
var reads = []string{
	`(?m)^fd_snap\nfd_show$|^fd_poll$`,               // HAProxy: look
	`fd_tables=|fd_level=|^fd_tool\nfor fd_s`,        // HAProxy: stick-tables, check, rights
	`FD_KNOWN=|(?m)^fd_check$`,                       // nginx: look, check
	`ls -t \| head -n \d+ \| while read -r fd_name`,  // journals
	`for fd_mark in "\$fd_dir"/\*/own/\*; do`,        // marks
	`fd_say data\nprintf '%s\\n' "\$fd_epoch"`,       // fences
	`if fd_held; then fd_show holder; fi`,            // sight
	`mkdir -p "\$fd_app/own" "\$fd_app/journal"`,     // prepare
	`flock -n 9 \|\| \{ fd_show holder 9>&-`,         // lease
	`head -c 1 >/dev/null; a=\$\(date \+%s%N\)`,      // site: how fast the link is; writes to /dev/null alone
	`(?m)^\s*kept(;|$)|find what|\becho yes; exit 0`, // site: current, observe, find, has
	`(?m)^# (Tells|Prints|Runs the check) `,          // site, proc
	`\A:\z`,                                          // is anybody there
}

// files are the scripts of the rooms: the lines of lates that they are sent for, "" for
// those that only read or stand in others.
var files = map[string]string{
	"lb/script/act.sh": "HAProxy set drain", "lb/script/decide.awk": "", "lb/script/trim.awk": "", "lb/script/ask.sh": "",
	"lb/script/poll.sh": "", "lb/script/full.sh": "", "lb/script/nginx.sh": "", "lb/script/nginx_act.sh": "nginx edit, out",
	"lb/script/nginx_check.sh": "", "lb/script/nginx_look.sh": "", "lb/script/nginx_probe.sh": "",
	"remote/site/adopt.sh": "adopt", "remote/site/fence.sh": "raise a host's fence", "remote/site/find.sh": "", "remote/site/flip.sh": "flip",
	"remote/site/pull.sh": "stage", "remote/site/tools.sh": "", "remote/site/heed.sh": "", "remote/site/have.sh": "look for the release, and clear old temporaries", "remote/site/kept.sh": "", "remote/site/lib.sh": "", "remote/site/observe.sh": "",
	"remote/site/prune.sh": "prune", "remote/site/turn.sh": "shut out what was given up on a host", "remote/site/stage.sh": "stage", "remote/site/part.sh": "stage",
	"remote/proc/asked.sh": "signal", "remote/proc/check.sh": "", "remote/proc/command.sh": "start", "remote/proc/kill.sh": "end new processes", "remote/proc/log.sh": "",
	"remote/proc/changed.sh": "", "remote/proc/checked.sh": "", "remote/proc/modules.sh": "", "remote/proc/pinned.sh": "", "remote/proc/look.awk": "", "remote/proc/look.sh": "", "remote/proc/signal.sh": "signal", "remote/proc/through.sh": "",
	"remote/proc/unit.sh": "reload through systemd",
}

// templates are those of deploy/state that make a whole script.
var templates = map[string]string{
	"prepare": "", "prepared": "", "fences": "", "marks": "", "journals": "", "sight": "", "freeze": "", "unfreeze": "", "pause": "",
	"raise": "raise a balancer's fence", "append": "journal", "turn": "shut out what was given up", "act": "owner mark",
}

var wholeScript = regexp.MustCompile(`\{\{-? *(?:/\*.*?\*/ -?\}\}\s*\{\{- )?define "(\w+)"\}\}\{\{template "(?:begin|limited)"`)

// TestLateCommandTableIsWhole: a script of a room that is new stands in the table, or is
// said to change nothing.
func TestLateCommandTableIsWhole(t *testing.T) {
	var names []string
	for _, l := range slices.Concat(lates, latesNginx, latesGivenUp) {
		names = append(names, l.name)
	}
	for _, room := range []string{"lb/script", "remote/site", "remote/proc"} {
		found, err := filepath.Glob("../../" + room + "/*.*")
		if err != nil || len(found) == 0 {
			t.Fatal(room, err)
		}
		for _, f := range found {
			if ext := filepath.Ext(f); ext != ".go" {
				inTable(t, files, strings.TrimPrefix(f, "../../"), names)
			}
		}
	}
	n := 0
	for _, f := range []string{"scripts.go", "hand_scripts.go"} {
		data, err := os.ReadFile("../../deploy/state/" + f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range wholeScript.FindAllStringSubmatch(string(data), -1) {
			inTable(t, templates, m[1], names)
			n++
		}
	}
	if n != len(templates) {
		t.Errorf("%d scripts of deploy/state, the table has %d", n, len(templates))
	}
}

func inTable(t *testing.T, table map[string]string, script string, names []string) {
	t.Helper()
	row, ok := table[script]
	if !ok {
		t.Errorf("%s: new, and nobody has said whether it changes something", script)
	} else if row != "" && !slices.Contains(names, row) {
		t.Errorf("%s: no late %q", script, row)
	}
}

var (
	aLock    = regexp.MustCompile(`(?m)^until flock -n 9; do$|^locked$`)
	otherWeb = regexp.MustCompile(`\bweb\d\b`)
	otherIP  = regexp.MustCompile(`10\.77\.0\.1\d:`)
)

// A sending is one script as a run sent it.
type sending struct {
	name, machine, text string
	at, answered        time.Time // zero: never answered
}

// sendings are those that a run with FLIPDEPLOY_SCRIPTS kept.
func sendings(t *testing.T, dir string) (all []sending) {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(dir, "*[0-9]"))
	if err != nil || len(kept) == 0 {
		t.Fatal("no script was kept: ", err)
	}
	for _, f := range kept {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, machine, _ := strings.Cut(filepath.Base(f), "-")
		all = append(all, sending{filepath.Base(f), machine, string(data), modified(f), modified(f + ".answered")})
	}
	return all
}

// modified is when a file was, zero without one.
func modified(name string) time.Time {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// known fails the test when a script that was sent takes a lock and has no line in
// lates, or takes none and is not known to read only.
func known(t *testing.T, dir string) {
	t.Helper()
	said := map[string]bool{}
	for _, s := range sendings(t, dir) {
		text := otherIP.ReplaceAllString(otherWeb.ReplaceAllString(s.text, "web2"), "10.77.0.12:")
		why, end := unknown(text), text[max(0, len(text)-400):]
		if why != "" && !said[end] {
			t.Errorf("%s %s: …%s", s.name, why, end)
			said[end] = true
		}
	}
}

// unknown tells why a script is not in order, "" when it is.
func unknown(text string) string {
	if aLock.MatchString(text) {
		if !slices.ContainsFunc(slices.Concat(lates, latesNginx, latesGivenUp), func(l late) bool { return matches(l.has, text) }) {
			return "takes a lock, and has no line in the table"
		}
	} else if !slices.ContainsFunc(reads, func(r string) bool { return matches([]string{r}, text) }) {
		return "takes no lock, and is not known to read only"
	}
	return ""
}

func matches(has []string, text string) bool {
	return !slices.ContainsFunc(has, func(re string) bool { return !regexp.MustCompile(re).MatchString(text) })
}
