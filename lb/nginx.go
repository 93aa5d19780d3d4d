package lb

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// A NginxConfig names an nginx and the hosts that it serves.
type NginxConfig struct {
	Name         string
	Upstreams    []string            // its upstream blocks of the app
	Config       string              // where nginx starts to read: /etc/nginx/nginx.conf
	Sudo         bool                // single commands through `sudo -n`, where we are not root
	Hosts        map[string][]string // host → its addresses, host:port
	Elsewhere    map[string]bool     // hosts that need not be here
	PollEvery    time.Duration       // 100ms
	ReadyTimeout time.Duration       // 60s
	Rollout      string              // in the marks; see Mark
	Probe        Probe
	MaxOld       int // old workers, as a multiple of the live ones, above which no reload is made; 8
}

// A Probe is how a host is asked from the balancer's machine, straight. The zero Probe
// opens a connection to the backend.
type Probe struct {
	Path   string // HTTP GET; empty: a connection is enough
	Host   string // Host header; default: the address
	Status string // regular expression, as awk reads it, of good status codes; default 200
	Port   int    // where health is asked, when not the backend's port
}

// Nginx drives one open-source nginx through its configuration files. It may be used
// by several goroutines; acts on one host must not overlap.
type Nginx struct {
	cfg   NginxConfig
	addrs map[hostPort]string // → host
	bad   error
	read  Runner

	turn chan struct{} // holds one: acts of this process do not overtake each other

	mu      sync.Mutex
	rollout string
	texts   map[string]string // sha256 → text that was read
	digest  string            // of the files that conf was made from
	conf    *nginxConf
	more    []string            // includes that the machine's script does not find
	names   map[string][]string // → addresses, of the last look
	ask     []string            // names to be resolved
	facts   nginxFacts
	left    map[string]nginxLeft
	before  *nginxLook // the last look that was understood
	logged  nginxLogged
	live    map[string]string // path → sha256 without marks, of what nginx runs
}

// nginxFacts are what does not change while nginx runs.
type nginxFacts struct {
	version   string // nginx/1.22.1
	configure string
}

// NewNginx makes no connection. What is wrong with cfg is told by each call.
func NewNginx(cfg NginxConfig, read Runner) *Nginx {
	if cfg.PollEvery <= 0 {
		cfg.PollEvery = 100 * time.Millisecond
	}
	if cfg.ReadyTimeout <= 0 {
		cfg.ReadyTimeout = time.Minute
	}
	if cfg.MaxOld <= 0 {
		cfg.MaxOld = 8
	}
	if cfg.Rollout == "" {
		cfg.Rollout = "hand"
	}
	n := &Nginx{cfg: cfg, read: read, rollout: cfg.Rollout, texts: map[string]string{}, left: map[string]nginxLeft{}, logged: nginxLogged{at: map[string]string{}, counts: map[string]Counters{}}, turn: make(chan struct{}, 1)}
	n.addrs, n.bad = checkedNginx(cfg)
	return n
}

// Name is the balancer's name in the inventory.
func (n *Nginx) Name() string { return n.cfg.Name }

// Mark names the rollout that marks left from now on are of.
func (n *Nginx) Mark(rollout string) error {
	if !goodRollout.MatchString(rollout) {
		return fault("FD-LB-NAME", "use letters, digits and -", "rollout %q has characters that are not allowed", rollout)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rollout = rollout
	return nil
}

// Seats tells where every host stands, over all its addresses, in every listed
// upstream: the worst state wins. Every host was asked from the balancer's machine.
func (n *Nginx) Seats(ctx context.Context) (map[string]Seat, error) {
	s, err := n.look(ctx, lookAll)
	if err != nil {
		return nil, err
	}
	seats := make(map[string]Seat, len(n.cfg.Hosts))
	for host := range n.cfg.Hosts {
		seats[host] = s.seat(host)
	}
	return seats, nil
}

// What a look asks beside files and workers.
type lookFor int

const (
	lookFiles lookFor = iota
	lookLogs          // new lines of the logs
	lookSocks         // connections to hosts
	lookLong          // connections, in freePolls polls
	lookAll           // connections, and probes
)

// rounds of one look: what a text needs is found in it only once it is here.
const lookRounds = 8

// look reads files and workers, as often as it takes to know every include and name.
func (n *Nginx) look(ctx context.Context, what lookFor) (*nginxSnapshot, error) {
	if n.bad != nil {
		return nil, n.bad
	}
	var err error
	for range lookRounds {
		script, before := n.lookScript(what)
		var out []byte
		if out, err = n.read.Run(ctx, script); err != nil {
			return nil, n.explain("asking nginx", err)
		}
		var s *nginxSnapshot
		s, err = n.parsed(string(out), before)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, errLookAgain) {
			return nil, err
		}
	}
	return nil, fault("FD-LB-REPLY", "see whether something rewrites nginx's files all the time", "nginx's files could not be read as one whole: %v", err)
}

var errLookAgain = errors.New("they changed while they were read")

// parsed makes a snapshot of a look's answer and keeps what was learned for the next.
func (n *Nginx) parsed(out string, before *nginxLook) (*nginxSnapshot, error) {
	l, err := parseLook(out)
	if err != nil {
		return nil, badNginxReply(err)
	}
	if l.same && before != nil {
		l.asBefore(before)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.learn(l)
	if err := n.reparse(l); err != nil {
		return nil, err
	}
	s := &nginxSnapshot{nginxLook: l, conf: n.conf, good: n.goodProbe(), asks: n.cfg.Probe}
	if s.lines, err = n.conf.servers(); err != nil {
		return nil, n.unread(err)
	}
	if n.askMore(s.lines) {
		return nil, errLookAgain
	}
	assignLines(s.lines, n.cfg.Upstreams, n.addrs, n.names)
	if l.master == "" {
		return nil, errLookAgain // where its pid file is, is known from here on
	}
	n.settle(s)
	n.before = l
	return s, nil
}

// learn keeps texts, facts and names.
func (n *Nginx) learn(l *nginxLook) {
	for s, text := range l.texts {
		n.texts[s] = text
	}
	if l.version != "" {
		n.facts = nginxFacts{l.version, l.configure}
	}
	n.names = l.names
}

// reparse makes conf anew when any file is another than before.
func (n *Nginx) reparse(l *nginxLook) error {
	digest := l.digest()
	if n.conf != nil && digest == n.digest {
		return nil
	}
	conf := &nginxConf{main: n.cfg.Config, files: map[string]*confFile{}, globs: l.globs, broken: map[string]*Fault{}, used: map[string]bool{}}
	for p, f := range l.files {
		text, ok := n.texts[f.sum]
		if !ok && f.sum != "" {
			return errLookAgain
		}
		if f.sum == "" {
			continue // it may not be read; only an include that needs it says so
		}
		parsed, err := parseConf(p, text)
		if err == nil {
			conf.files[p] = parsed
		} else if p == n.cfg.Config {
			return unparsed(p, err)
		} else {
			conf.broken[p] = unparsed(p, err)
		}
	}
	err := conf.walk(func(d *directive, _ []*directive) error { conf.used[d.file.path] = true; return nil })
	if err != nil {
		return n.unread(err)
	}
	n.conf, n.digest = conf, digest
	n.forgetTexts(l)
	return nil
}

func (n *Nginx) forgetTexts(l *nginxLook) {
	kept := map[string]string{}
	for _, f := range l.files {
		kept[f.sum] = n.texts[f.sum]
	}
	n.texts = kept
}

// unread asks for an include that the script did not find; asked before, it is a fault.
func (n *Nginx) unread(err error) error {
	var m *missingInclude
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	if !errors.As(err, &m) {
		return fault("FD-LB-NGINX-CONF", "run `nginx -t` on the balancer", "%s: %v", n.cfg.Config, err)
	}
	for _, p := range n.more {
		if p == m.pattern {
			return fault("FD-LB-NGINX-FILES", "correct `config`, give the SSH user the right to read what it includes, or set ssh.sudo = true", "%s does not exist, or may not be read", p)
		}
	}
	n.more = append(n.more, m.pattern)
	return errLookAgain
}

// askMore has names resolved that the last look did not ask for.
func (n *Nginx) askMore(lines []*serverLine) bool {
	want := unresolved(lines, n.addrs)
	if strings.Join(want, " ") == strings.Join(n.ask, " ") {
		return false
	}
	n.ask = want
	return true
}

func unparsed(path string, err error) *Fault {
	return fault("FD-LB-NGINX-CONF", "run `nginx -t` on the balancer", "%s: %v", path, err)
}

func badNginxReply(err error) error {
	return &Fault{code: "FD-LB-REPLY", text: "the answer about nginx cannot be used", cause: err,
		hint: "run `flipdeploy doctor`; needed on the balancer: awk, sed, stat, sha256sum, readlink"}
}
