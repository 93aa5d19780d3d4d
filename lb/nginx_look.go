package lb

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A nginxLook is what one look saw on the machine.
type nginxLook struct {
	version, configure string
	master             string // PID-START
	title              string // the master's
	bin                string
	live, old          []nginxWorker // taking connections; shutting down
	now                float64       // the machine's clock, seconds
	ticks              int64         // the same moment in ticks since boot
	files              map[string]*lookedFile
	walked             []string // the glob and path lines
	same               bool     // files and includes are those of the look before
	globs              map[string][]string
	texts              map[string]string // sha256 → text
	names              map[string][]string
	socks              []nginxSock // of all polls together
	polls              int
	hidden             bool // connections are those of the workers' user
	probes             map[string]string
	log                string            // where the error log ends: size and inode
	read               map[string]string // access log → how far it was read: size and inode
	answers, fives     map[string]int64  // address → lines of access logs about it, and those of 5xx
	errors             map[string]int64  // address → requests that failed since the last look
}

// A nginxWorker is one worker process.
type nginxWorker struct {
	pid   int
	start int64 // ticks since boot
}

func (w nginxWorker) String() string { return fmt.Sprintf("%d-%d", w.pid, w.start) }

// A lookedFile is a file that nginx may read. Times are the machine's, in seconds.
type lookedFile struct {
	sum              string // sha256, "" when it may not be read
	changed, touched float64
	inode            string
}

// A nginxSock is a connection to a host that a worker holds.
type nginxSock struct {
	pid   int // 0: some worker's, or another program's of the same user
	to    hostPort
	inode string
}

// ticksPerSecond is what Linux tells start times in.
const ticksPerSecond = 100

// parseLook reads a whole answer. Texts that do not have the sum told are left out:
// the file changed in between.
func parseLook(out string) (*nginxLook, error) {
	l := &nginxLook{files: map[string]*lookedFile{}, globs: map[string][]string{}, texts: map[string]string{},
		names: map[string][]string{}, probes: map[string]string{}, errors: map[string]int64{},
		read: map[string]string{}, answers: map[string]int64{}, fives: map[string]int64{}}
	glob, sawEnd := "", false
	for out != "" {
		line, rest, ok := strings.Cut(out, "\n")
		if !ok {
			break
		}
		out = rest
		word, arg, _ := strings.Cut(line, " ")
		if word == "glob" || word == "path" {
			l.walked = append(l.walked, line)
		}
		switch word {
		case "glob":
			glob = arg
			l.globs[glob] = nil
		case "path":
			l.globs[glob] = append(l.globs[glob], arg)
			l.file(arg)
		case "text":
			n, _, _ := strings.Cut(arg, " ")
			size, err := strconv.Atoi(n)
			if err != nil || size < 0 || size >= len(out) {
				return nil, fmt.Errorf("it ends within a file")
			}
			l.texts[sha(out[:size])] = out[:size]
			out = out[size+1:]
		case "==":
			sawEnd = arg == "end"
		default:
			if err := l.line(word, arg); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
		}
	}
	if !sawEnd {
		return nil, fmt.Errorf("it is cut short")
	}
	return l, nil
}

func (l *nginxLook) file(path string) *lookedFile {
	if l.files[path] == nil {
		l.files[path] = &lookedFile{}
	}
	return l.files[path]
}

// line reads one fact.
func (l *nginxLook) line(word, arg string) (err error) {
	w := strings.Fields(arg)
	w = append(w, "", "", "", "")
	switch word {
	case "version":
		l.version = arg
	case "configure":
		l.configure = arg
	case "master":
		l.master, l.title, _ = strings.Cut(arg, " ")
	case "bin":
		l.bin = arg
	case "worker":
		return l.worker(w[0], w[1])
	case "clock":
		l.now, l.ticks = seconds(w[0]), int64(seconds(w[1]))
	case "file", "link":
		l.times(word, arg)
	case "sum":
		if len(w[0]) == 64 {
			_, path, _ := strings.Cut(arg, "  ")
			l.file(path).sum = w[0]
		}
	case "sock":
		return l.sock(w[0], w[1], w[2])
	case "log":
		l.log = arg
	case "errors":
		l.errors[w[1]] = int64(seconds(w[0]))
	case "read":
		l.read[w[2]] = w[0] + " " + w[1]
	case "access":
		l.answers[w[2]] += int64(seconds(w[0]))
		l.fives[w[2]] += int64(seconds(w[1]))
	case "same":
		l.same = true
	case "polls":
		l.polls = int(seconds(w[0]))
	case "hidden":
		l.hidden = true
	case "name":
		l.names[w[0]] = append(l.names[w[0]], w[1])
	case "probe":
		addr, said, _ := strings.Cut(arg, " ")
		l.probes[addr] = said
	}
	return nil
}

func (l *nginxLook) worker(kind, id string) error {
	pid, start, _ := strings.Cut(id, "-")
	p, err := strconv.Atoi(pid)
	s, err2 := strconv.ParseInt(start, 10, 64)
	if err != nil || err2 != nil {
		return fmt.Errorf("no process")
	}
	if w := (nginxWorker{p, s}); kind == "live" {
		l.live = append(l.live, w)
	} else {
		l.old = append(l.old, w)
	}
	return nil
}

// times: of a link, its own count too. The path is the last word and may hold spaces.
func (l *nginxLook) times(word, arg string) {
	w := strings.SplitN(arg, " ", 4)
	if word == "link" {
		if w = strings.SplitN(arg, " symbolic link ", 2); len(w) == 2 {
			f := l.file(w[1])
			f.changed = max(f.changed, seconds(w[0]))
		}
		return
	}
	if len(w) == 4 {
		f := l.file(w[3])
		f.changed, f.touched, f.inode = max(f.changed, seconds(w[0])), seconds(w[1]), w[2]
	}
}

// seconds reads a number, without its fraction where that is none (busybox date).
func seconds(s string) float64 {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	whole, _, _ := strings.Cut(s, ".")
	f, _ := strconv.ParseFloat(whole, 64)
	return f
}

func (l *nginxLook) sock(pid, to, inode string) error {
	hp, err := procAddr(to)
	if err != nil {
		return err
	}
	p, _ := strconv.Atoi(pid)
	if one := (nginxSock{p, hp, inode}); !slices.Contains(l.socks, one) {
		l.socks = append(l.socks, one)
	}
	return nil
}

// procAddr reads an address as /proc/net/tcp has it: words of 32 bits in the
// machine's own order, which is little-endian on all that we build for.
func procAddr(s string) (hostPort, error) {
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return hostPort{}, fmt.Errorf("no address")
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return hostPort{}, fmt.Errorf("no address")
	}
	return hostPort{a.Unmap().String(), int(n)}, nil
}

// digest tells whether anything that nginx would read is another than before.
func (l *nginxLook) digest() string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(l.files)) {
		fmt.Fprintf(&b, "%s %s\n", p, l.files[p].sum)
	}
	for _, g := range slices.Sorted(maps.Keys(l.globs)) {
		fmt.Fprintf(&b, "%s %s\n", g, strings.Join(l.globs[g], "\n"))
	}
	return sha(b.String())
}

// since is the start of the oldest worker that takes connections, in ticks; 0 where
// there is none.
func (l *nginxLook) since() int64 {
	first := int64(0)
	for _, w := range l.live {
		if first == 0 || w.start < first {
			first = w.start
		}
	}
	return first
}

// clock is a tick as the machine's clock tells it.
func (l *nginxLook) clock(tick int64) float64 {
	return l.now - float64(l.ticks-tick)/ticksPerSecond
}

// asBefore fills in what a look did not repeat.
func (l *nginxLook) asBefore(before *nginxLook) {
	l.globs, l.walked = before.globs, before.walked
	for path, f := range before.files {
		l.file(path).sum = f.sum
	}
}

// mostCompared: with more files it costs less to send what was seen than to compare.
const mostCompared = 200

// comparable are the paths and their sums, as sha256sum prints them; nothing when a file
// may not be read without help.
func (l *nginxLook) comparable() (paths, sums string) {
	if len(l.files) > mostCompared {
		return "", ""
	}
	var p, s []string
	for _, path := range slices.Sorted(maps.Keys(l.files)) {
		if l.files[path].sum == "" {
			return "", ""
		}
		p = append(p, path)
		s = append(s, l.files[path].sum+"  "+path)
	}
	return strings.Join(p, "\n"), strings.Join(s, "\n")
}
