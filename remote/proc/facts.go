package proc

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// facts are what one look at the host saw.
type facts struct {
	now     int64 // the host's clock, seconds
	me      int   // uid of the SSH user
	root    string
	current string // release id that current points at, "" for none
	unit    unit
	members []int // of the unit's control group
	pidfile int   // 0: missing, unreadable, or no number in it
	listen  []int // processes that serve: who holds a listening socket on the port, or who else the system says
	held    []int // of these, who holds the port
	hidden  bool  // some listener is a process that we may not see
	hidepid bool  // /proc shows our own processes only
	procs   map[int]*process
	entries map[string][]string // dev:inode of entry files -> release ids
	adopted map[string]string   // sign of a program that was found -> release id
	logSize int64
	named   []int // what the pid command printed
	asked   bool  // it was, for this look
	helper  key   // runs our start, stop or reload command
	note    *note // of what the app was asked for last; nil where there is none
	ran     ran
	command string // last line that commands wrote; "exit=N PID" when one ended
}

// A process is one row of /proc.
type process struct {
	pid, ppid int
	start     uint64 // field 22 of stat: with pid, an identity that reuse cannot fake
	state     string
	faults    uint64 // of children that ended and were waited for
	uid       int
	exe, ino  string   // "" when we may not see it
	name      string   // as the process calls itself
	service   string   // systemd's, that it is part of, "" for none but a login's
	image     uint64   // changes when it executes itself anew; 0 when we may not see it
	sign      string   // inode:size:mtime of exe
	in        []string // releases in which it has its directory or a file
	ignored   uint64   // signals, as masks
	caught    uint64
}

// key is a process that no later one can be taken for.
type key struct {
	pid   int
	start uint64
}

func (p *process) key() key { return key{p.pid, p.start} }

func (p *process) alive() bool { return p != nil && p.state != "Z" && p.state != "X" }

// unit is what systemd says.
type unit struct {
	name     string
	props    map[string]string // a line for each of several
	main     int
	control  int // runs its ExecReload, ExecStop and so on
	restarts int
}

func (u unit) is(prop, value string) bool { return u.props[prop] == value }

// busy is true while systemd has still something to do for the unit.
func (u unit) busy() bool {
	return u.props["Job"] != "" || u.is("ActiveState", "activating") ||
		u.is("ActiveState", "deactivating") || u.is("ActiveState", "reloading")
}

// well is true for a unit that is up, a reload in progress included.
func (u unit) well() bool { return u.is("ActiveState", "active") || u.is("ActiveState", "reloading") }

// program is what systemd would start, "" where it does not say.
func (u unit) program() string {
	first, _, _ := strings.Cut(u.props["ExecStart"], "\n")
	rest, is := strings.CutPrefix(first, "{ path=")
	program, _, more := strings.Cut(rest, " ; argv[]=")
	if !is || !more {
		return ""
	}
	return program
}

// files are those that the unit is made of.
func (u unit) files() string { return u.props["FragmentPath"] + " " + u.props["DropInPaths"] }

// complete is false when the script was cut short.
func parse(out []byte, cfg *Config) (f facts, complete bool) {
	f = facts{procs: map[int]*process{}, entries: map[string][]string{}, adopted: map[string]string{}, unit: unit{name: strings.TrimSuffix(cfg.Unit, ".service") + ".service", props: map[string]string{}}}
	told := false
	for line := range strings.Lines(string(out)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		told = told || word == "told" // by what looks at processes: it may die of one that is gone
		complete = told && word == "end"
		f.take(word, rest, cfg)
	}
	return f, complete
}

func (f *facts) take(word, rest string, cfg *Config) {
	switch word {
	case "now":
		f.now, _ = strconv.ParseInt(rest, 10, 64)
	case "me":
		f.me, _ = strconv.Atoi(rest)
	case "root":
		f.root = rest
	case "current":
		f.current = rest
	case "hidepid":
		f.hidepid = true
	case "pidfile":
		f.pidfile, _ = strconv.Atoi(rest)
	case "named":
		f.named, f.asked = numbers(rest), true
	case "group":
		f.members = numbers(rest)
	case "log":
		f.logSize, _ = strconv.ParseInt(rest, 10, 64)
	case "command":
		f.command = rest
	case "unit":
		f.takeUnit(rest)
	case "listen":
		f.takeListener(rest)
	case "entry":
		f.takeEntry(rest, cfg)
	case "asked":
		f.takeNote(rest)
	case "ran":
		f.takeCommand(rest)
	case "adopted":
		sign, id, _ := strings.Cut(rest, " ")
		f.adopted[sign] = id
	default:
		f.takeProcess(word, rest)
	}
}

func (f *facts) takeUnit(rest string) {
	name, value, _ := strings.Cut(rest, "=")
	if before, several := f.unit.props[name]; several {
		f.unit.props[name] = before + "\n" + value
		return
	}
	f.unit.props[name] = value
	switch name {
	case "MainPID":
		f.unit.main, _ = strconv.Atoi(value)
	case "ControlPID":
		f.unit.control, _ = strconv.Atoi(value)
	case "NRestarts":
		f.unit.restarts, _ = strconv.Atoi(value)
	}
}

// takeListener leaves init out while others listen: with socket activation it
// holds the app's socket too.
func (f *facts) takeListener(rest string) {
	pid, err := strconv.Atoi(rest)
	switch {
	case err != nil:
		f.hidden = true
	case pid > 1:
		f.listen = append(f.listen, pid)
	}
}

func (f *facts) takeEntry(rest string, cfg *Config) {
	ino, name, _ := strings.Cut(rest, " ")
	prefix, suffix := cfg.entryPattern()
	id := strings.TrimSuffix(strings.TrimPrefix(name, prefix), suffix)
	if id != "" && !strings.Contains(id, "/") {
		f.entries[ino] = append(f.entries[ino], id)
	}
}

func (f *facts) takeProcess(word, rest string) {
	first, rest, _ := strings.Cut(rest, " ")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return
	}
	if word == "proc" {
		f.takeStat(pid, strings.Fields(rest))
		return
	}
	if p := f.procs[pid]; p != nil {
		p.take(word, rest)
	}
}

func (f *facts) takeStat(pid int, w []string) {
	if len(w) < 4 {
		return
	}
	p := &process{pid: pid, state: w[2], uid: -1}
	p.ppid, _ = strconv.Atoi(w[0])
	p.start, _ = strconv.ParseUint(w[1], 10, 64)
	p.faults, _ = strconv.ParseUint(w[3], 10, 64)
	if len(w) > 4 {
		p.image, _ = strconv.ParseUint(w[4], 10, 64)
	}
	f.procs[pid] = p
}

func (p *process) take(word, rest string) {
	switch word {
	case "exe":
		p.exe = rest
	case "ino":
		p.ino = rest
	case "name":
		p.name = rest
	case "service":
		p.service = rest
	case "sign":
		p.sign = rest
	case "in":
		if !slices.Contains(p.in, rest) {
			p.in = append(p.in, rest)
		}
	case "status":
		p.takeStatus(rest)
	}
}

func (p *process) takeStatus(rest string) {
	name, value, _ := strings.Cut(rest, " ")
	switch name {
	case "Uid":
		if uid, err := strconv.Atoi(value); err == nil {
			p.uid = uid
		}
	case "SigIgn":
		p.ignored, _ = strconv.ParseUint(value, 16, 64)
	case "SigCgt":
		p.caught, _ = strconv.ParseUint(value, 16, 64)
	}
}

func numbers(text string) (list []int) {
	for _, w := range strings.Fields(text) {
		if n, err := strconv.Atoi(w); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// listeners are the living processes that listen on the port.
func (f *facts) listeners() (list []*process) {
	for _, pid := range f.listen {
		if p := f.procs[pid]; p.alive() {
			list = append(list, p)
		}
	}
	return list
}

func (f *facts) listens(p *process) bool { return slices.Contains(f.listen, p.pid) }

// roots are the listeners whose parent is none.
func (f *facts) roots() (list []*process) {
	for _, p := range f.listeners() {
		if !slices.Contains(f.listen, p.ppid) {
			list = append(list, p)
		}
	}
	return list
}

// descends is true when p is below one for which of is true.
func (f *facts) descends(p *process, of func(*process) bool) bool {
	for range f.procs { // a bound: rows were not read at one instant
		if p = f.procs[p.ppid]; p == nil {
			return false
		}
		if of(p) {
			return true
		}
	}
	return false
}

// all are the processes in the order of their pids.
func (f *facts) all() (list []*process) {
	for _, pid := range slices.Sorted(maps.Keys(f.procs)) {
		list = append(list, f.procs[pid])
	}
	return list
}
