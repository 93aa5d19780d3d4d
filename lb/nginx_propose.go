package lb

import (
	"slices"
	"strings"
)

// ProposeNginx reads an nginx configuration: a main file, the file of one site, or what
// `nginx -T` prints. Includes are followed as far as their files are here. text is what
// stands in file; nil has it read.
func ProposeNginx(file string, text []byte) (*Proposal, error) {
	r, err := readNginxFiles(file, text)
	if err != nil {
		return nil, err
	}
	p := &nginxProposal{Proposal: &Proposal{File: file, Kind: "nginx", Config: r.onBalancer(), Notes: r.notes}}
	if err := r.conf.walk(p.visit); err != nil {
		return nil, badFile("run `nginx -t` on the balancer", "%s: %v", file, err)
	}
	if !p.whole {
		p.Config = ""
	}
	p.pastUpstreams()
	p.used()
	if len(p.Pools) == 0 {
		return nil, p.nothing(file, "upstream", "give the main configuration, with all that it includes: `nginx -T` prints it")
	}
	return p.Proposal, nil
}

type nginxProposal struct {
	*Proposal
	whole  bool // a main file: it has an http or stream block
	passes []*directive
}

func (p *nginxProposal) visit(d *directive, around []*directive) error {
	if len(around) == 0 && (d.name() == "http" || d.name() == "stream" || d.name() == "events") {
		p.whole = true
	}
	tcp := false
	if len(around) > 0 && (around[0].name() == "http" || around[0].name() == "stream") {
		tcp = around[0].name() == "stream"
		around = around[1:]
	}
	switch {
	case d.name() == "upstream" && d.has && len(d.args) == 2 && len(around) == 0:
		p.pool(d, tcp)
	case len(around) == 1 && around[0].name() == "upstream" && len(around[0].args) == 2:
		p.pool(around[0], tcp).nginxLine(d)
	case strings.HasSuffix(d.name(), "_pass") && !d.has && len(d.args) == 2:
		p.passes = append(p.passes, d)
	}
	return nil
}

func (p *nginxProposal) pool(d *directive, tcp bool) *ProposedPool {
	if had := p.Pool(d.args[1]); had != nil {
		return had
	}
	p.Pools = append(p.Pools, &ProposedPool{Name: d.args[1], Where: d.where(), TCP: tcp})
	return p.Pools[len(p.Pools)-1]
}

// nginxLine reads one directive of an upstream.
func (p *ProposedPool) nginxLine(d *directive) {
	if d.name() != "server" || d.has || len(d.args) < 2 {
		return
	}
	s := ProposedServer{Where: d.where()}
	hp, _, ok := nginxAddr(d.args[1])
	options := d.args[2:]
	switch {
	case strings.HasPrefix(d.args[1], "unix:"):
		p.note(s.Where, "%s is a socket of the balancer itself, no host: left out", d.args[1])
		return
	case !ok || slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "service=") }):
		p.note(s.Where, "%s is no address and port: left out", d.args[1])
		return
	case slices.Contains(options, "backup"):
		p.note(s.Where, "%s is a backup, it gets no request while others serve: left out", d.args[1])
		return
	case slices.Contains(options, "down"):
		s.Note = "is marked down: rollouts leave it as it is"
	}
	s.Address, s.Port = hp.host, hp.port
	p.nginxOptions(d, options)
	p.add(s, "nginx")
}

func (p *ProposedPool) nginxOptions(d *directive, options []string) {
	if !hasPort(d.args[1]) {
		p.note(d.where(), "%s has no port: nginx takes 80", d.args[1])
	}
	for _, o := range options {
		switch {
		case strings.HasPrefix(o, "weight="):
			p.weighted(d.where())
		case o == "resolve":
			p.note(d.where(), "%s is resolved while nginx runs: its addresses must stay those of one host", d.args[1])
		}
	}
}

// weighted is said once a pool.
func (p *ProposedPool) weighted(where string) {
	text := "weights are not looked at: a rollout counts hosts"
	if !slices.ContainsFunc(p.Notes, func(n ProposedNote) bool { return n.Text == text }) {
		p.note(where, "%s", text)
	}
}

// pastUpstreams notes what sends to a host without an upstream: a rollout would be
// refused. Where there is no upstream at all, every such line is the reason.
func (p *nginxProposal) pastUpstreams() {
	for _, d := range p.passes {
		addr := passTarget(d.args[1])
		hp, _, ok := nginxAddr(addr)
		if addr == "" || !ok || p.Pool(addr) != nil {
			continue
		}
		if len(p.Pools) == 0 {
			p.note(d.where(), "%s %s names an address: let it name an upstream block", d.name(), d.args[1])
		}
		for _, pool := range p.Pools {
			if pool.has(hp.host, hp.port) {
				pool.note(d.where(), "%s %s goes past the upstream: a rollout is refused until it is http://%s", d.name(), d.args[1], pool.Name)
			}
		}
	}
}
