package lb

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ProposeHAProxy reads a HAProxy configuration: a file, or a directory of *.cfg as
// `haproxy -f` takes it. text is what stands in file; nil has it read.
func ProposeHAProxy(file string, text []byte) (*Proposal, error) {
	lines, err := readHAProxy(file, text)
	if err != nil {
		return nil, err
	}
	p := &haProposal{Proposal: &Proposal{File: file, Kind: "haproxy"}, named: map[string]haDefaults{}}
	for _, l := range lines {
		p.line(l)
	}
	if len(p.Pools) == 0 && p.sections == 0 {
		return nil, badFile("is it a HAProxy configuration? run `haproxy -c -f` with it", "%s: no section in it", file)
	}
	p.afterAll()
	p.used()
	if len(p.Pools) == 0 {
		return nil, p.nothing(file, "backend", "give the file that has the backend section, or the directory with all of them")
	}
	return p.Proposal, nil
}

func readHAProxy(file string, text []byte) ([]haLine, error) {
	if text != nil {
		return haLines(file, string(text))
	}
	files := []string{file}
	if isDir(file) {
		files, _ = filepath.Glob(filepath.Join(file, "*.cfg"))
	}
	var all []haLine
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, badFile("name a file that is here, or - for standard input", "%s: cannot be read: %s", f, fileReason(err))
		}
		if len(data) > mostConfBytes {
			return nil, badFile("give the file that has the backend", "%s: too much for a configuration", f)
		}
		lines, err := haLines(f, string(data))
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}

// haDefaults are what a section takes over.
type haDefaults struct {
	mode    string
	check   bool // option httpchk
	health  ProposedHealth
	servers haServer
}

type haProposal struct {
	*Proposal
	sections int
	kind     string // of the section in hand
	pool     *haPool
	pools    []*haPool
	defaults haDefaults
	into     *haDefaults // of the section in hand
	named    map[string]haDefaults
	name     string // of the defaults in hand
	prefix   string // of unix-bind
	sockets  []haLine
	branch   bool
}

// A haPool is a backend or listen section until its end is known: what stands after a
// server line holds for it, too.
type haPool struct {
	*ProposedPool
	haDefaults
	unchecked string // where a server without check is
}

var haSections = strings.Fields(`acme backend cache crt-store defaults fcgi-app frontend global http-errors listen
	log-forward log-profile mailers peers program resolvers ring traces userlist`)

func (p *haProposal) line(l haLine) {
	switch {
	case strings.HasPrefix(l.words[0], "."):
		if strings.HasPrefix(l.words[0], ".if") && !p.branch {
			p.branch = true
			p.note(l.where, "%s: both branches were read", strings.Join(l.words, " "))
		}
	case slices.Contains(haSections, l.words[0]):
		p.section(l)
	case p.kind == "global":
		p.global(l)
	case p.kind == "defaults" || p.kind == "backend" || p.kind == "listen":
		p.into.setting(l)
		if p.pool != nil {
			p.server(l)
		}
	}
}

// section begins one. A name and `from NAME` may follow its word.
func (p *haProposal) section(l haLine) {
	p.endDefaults()
	p.sections++
	words := append(slices.Clone(l.words[1:]), "", "", "")
	name, from := words[0], ""
	switch {
	case words[0] == "from":
		name, from = "", words[1]
	case words[1] == "from":
		from = words[2]
	}
	base := p.defaults
	if from != "" {
		base = p.named[from]
	}
	p.kind, p.name, p.pool = l.words[0], name, nil
	switch p.kind {
	case "defaults":
		p.defaults = haDefaults{}
		if from != "" {
			p.defaults = base
		}
		p.into = &p.defaults
	case "backend", "listen":
		p.pool = &haPool{ProposedPool: &ProposedPool{Name: name, Where: l.where}, haDefaults: base}
		p.into = &p.pool.haDefaults
		p.pools = append(p.pools, p.pool)
		p.Pools = append(p.Pools, p.pool.ProposedPool)
	}
}

func (p *haProposal) endDefaults() {
	if p.kind == "defaults" && p.name != "" {
		p.named[p.name] = p.defaults
	}
}

func (p *haProposal) global(l haLine) {
	switch {
	case len(l.words) > 2 && l.words[0] == "stats" && l.words[1] == "socket":
		p.sockets = append(p.sockets, l)
	case len(l.words) > 2 && l.words[0] == "unix-bind" && l.words[1] == "prefix":
		p.prefix = l.words[2]
	}
}

// setting is a line that a section of defaults may hold, too.
func (d *haDefaults) setting(l haLine) {
	w := append(slices.Clone(l.words), "", "", "", "")
	switch {
	case w[0] == "mode":
		d.mode = w[1]
	case w[0] == "default-server":
		d.servers = d.servers.with(l.words[1:])
	case w[0] == "option" && w[1] == "httpchk":
		d.check = true
		d.health.Where = l.where
		d.health.httpchk(l.words[2:])
	case w[0] == "no" && w[1] == "option" && w[2] == "httpchk":
		d.check, d.health = false, ProposedHealth{}
	case w[0] == "http-check" && w[1] == "send":
		d.health.send(l.words[2:])
	case w[0] == "http-check" && w[1] == "connect":
		d.health.connect(l.words[2:])
	case w[0] == "http-check" && w[1] == "expect":
		d.health.expect(l.words[2:])
	}
}

// httpchk has [METHOD] URI [VERSION [headers]].
func (h *ProposedHealth) httpchk(words []string) {
	switch len(words) {
	case 0:
		h.Path = "/"
	case 1:
		h.Path = words[0]
	default:
		h.Path = words[1]
		for _, w := range words[2:] {
			if _, host, ok := strings.Cut(w, "\nHost:"); ok {
				host, _, _ = strings.Cut(strings.TrimSpace(host), "\r")
				h.host(host)
			}
		}
	}
}

func (h *ProposedHealth) host(s string) {
	if oneMachine(s) {
		h.Host = s
	}
}

func (h *ProposedHealth) send(words []string) {
	for i := 0; i+1 < len(words); i++ {
		switch {
		case words[i] == "uri":
			h.Path = words[i+1]
			i++
		case words[i] == "hdr" && i+2 < len(words):
			if strings.EqualFold(words[i+1], "host") {
				h.host(words[i+2])
			}
			i += 2
		}
	}
}

func (h *ProposedHealth) connect(words []string) {
	for i, w := range words {
		switch {
		case w == "port" && i+1 < len(words):
			h.Port, _ = strconv.Atoi(words[i+1])
		case w == "ssl":
			h.TLS = true
		}
	}
}

// expect reads `status 200,204`; what else may be expected has no key in an inventory.
func (h *ProposedHealth) expect(words []string) {
	if len(words) != 2 || words[0] != "status" {
		return
	}
	var all []int
	for _, s := range strings.Split(words[1], ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 100 || n > 599 {
			return
		}
		all = append(all, n)
	}
	h.Status = all
}

// afterAll settles what is known only at the end of a section, or of the file.
func (p *haProposal) afterAll() {
	p.socket()
	for _, pool := range p.pools {
		pool.TCP = pool.mode != "http" && !pool.check // HAProxy's own default is tcp
		path, tls, port := pool.ProposedPool.Health.Path, pool.ProposedPool.Health.TLS, pool.ProposedPool.Health.Port
		pool.ProposedPool.Health = pool.health
		pool.ProposedPool.Health.TLS = pool.health.TLS || tls
		if !pool.check {
			pool.ProposedPool.Health.Path = path
		}
		if pool.health.Port == 0 {
			pool.ProposedPool.Health.Port = port
		}
		if pool.unchecked != "" {
			pool.note(pool.unchecked, "without `check` HAProxy does not notice a server that dies")
		}
	}
}

// socket finds the one to command HAProxy through.
func (p *haProposal) socket() {
	const add = "stats socket /run/haproxy/admin.sock mode 660 level admin"
	for _, l := range p.sockets {
		at, ok := p.socketAt(l.words[2])
		switch {
		case !ok:
			p.note(l.where, "stats socket %s is not one that only this machine reaches: left out", l.words[2])
		case !slices.Contains(l.words, "admin"):
			p.note(l.where, "stats socket %s has no `level admin`: it may ask and not act", l.words[2])
		case p.Socket == "":
			p.Socket = at
		}
	}
	if p.Socket == "" {
		p.note("", "no stats socket to command HAProxy through; add to the section global, and reload: %s", add)
	}
}

func (p *haProposal) socketAt(s string) (string, bool) {
	family, rest, ok := strings.Cut(s, "@")
	if !ok {
		family, rest = "", s
	}
	switch {
	case strings.HasPrefix(rest, "/") && (family == "" || family == "unix"):
		at := filepath.Clean(p.prefix + rest)
		return at, goodPath.MatchString(at)
	case family == "" || family == "ipv4" || family == "ipv6" || family == "tcp4" || family == "tcp6" || family == "tcp":
		host, port, _ := haAddress(rest)
		a, err := netip.ParseAddr(host)
		return "tcp://" + net.JoinHostPort(host, strconv.Itoa(port)), err == nil && a.IsLoopback() && port > 0
	}
	return "", false
}
