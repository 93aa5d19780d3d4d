package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	"github.com/flipdeploy/flipdeploy/lb"
)

// A draft is an inventory that is to be written.
type draft struct {
	from   []string // the files
	app    string
	ports  []int
	known  bool // ports are
	health draftHealth
	lbs    []draftLB
	hosts  []draftHost
	spare  int      // hosts whose addresses are not known
	notes  []string // what could not be used, or matters
	preset string   // "" for a restart
	why    string   // preset is so
}

type draftHealth struct {
	lb.ProposedHealth
	tcp bool
}

type draftLB struct {
	name, kind string
	upstreams  []string
	socket     string
	config     string
	guessed    bool   // socket or config
	why        string // the upstream is so
}

// placeholder is a name that never leads anywhere (RFC 2606): plan fails on it at once.
func placeholder(name string) string { return name + ".invalid" }

func emptyDraft() *draft {
	edge := draftLB{name: "edge1", kind: "haproxy", upstreams: []string{"shop"}, socket: defaultSocket, guessed: true,
		why: check + " HAProxy's backend; nginx's upstream, with kind = \"nginx\" and config for socket"}
	return &draft{app: "shop", ports: []int{8080}, spare: 3, lbs: []draftLB{edge}}
}

const (
	defaultSocket = "/run/haproxy/admin.sock"
	defaultConfig = "/etc/nginx/nginx.conf"
)

// A choice is a balancer's configuration with the pools of the app.
type choice struct {
	*lb.Proposal
	pools []*lb.ProposedPool
}

// choose finds the app's pools: the only one, or those that were named.
func choose(all []*lb.Proposal, o initOptions) ([]choice, error) {
	var chosen []choice
	found := map[string]bool{}
	var errs []error
	for _, p := range all {
		c := choice{Proposal: p}
		for _, name := range o.upstreams {
			if pool := p.Pool(name); pool != nil && !slices.Contains(c.pools, pool) {
				c.pools = append(c.pools, pool)
				found[name] = true
			}
		}
		if c.pools == nil && len(p.Pools) == 1 && (o.upstreams == nil || len(all) > 1) {
			c.pools = p.Pools
		}
		if c.pools == nil {
			errs = append(errs, several(p, o))
		}
		chosen = append(chosen, c)
	}
	for _, name := range o.upstreams {
		if !found[name] && errs == nil {
			return nil, &deploy.Fault{Code_: "FD-INIT-UPSTREAM", Err: fmt.Errorf("there is no upstream %q", name), Hint_: "leave it out, or name one of: " + strings.Join(poolNames(all...), ", ")}
		}
	}
	return chosen, errors.Join(errs...)
}

func poolNames(all ...*lb.Proposal) []string {
	var names []string
	for _, p := range all {
		for _, pool := range p.Pools {
			names = append(names, pool.Name)
		}
	}
	return names
}

// several says which pools there are, with the next command.
func several(p *lb.Proposal, o initOptions) error {
	names := poolNames(p)
	what := fmt.Sprintf("%s: %d upstreams, and which are the app's is not known", p.File, len(names))
	if o.upstreams != nil {
		what = fmt.Sprintf("%s: there is no upstream %s", p.File, strings.Join(o.upstreams, ", "))
	}
	command := "flipdeploy init"
	if o.inventory != "inventory.toml" {
		command += " -i " + shellWord(o.inventory)
	}
	if o.nginx != "" {
		command += " --from-nginx " + shellWord(o.nginx)
	}
	if o.haproxy != "" {
		command += " --from-haproxy " + shellWord(o.haproxy)
	}
	return &upstreamsError{text: what, hint: command + " --upstream " + names[0], pools: p.Pools}
}

// An upstreamsError says that a person has to choose.
type upstreamsError struct {
	text, hint string
	pools      []*lb.ProposedPool
}

func (e *upstreamsError) Error() string { return e.text }
func (e *upstreamsError) Code() string  { return "FD-INIT-UPSTREAM" }
func (e *upstreamsError) Hint() string  { return e.hint }

// Evidence are the pools, each with its place and its servers.
func (e *upstreamsError) Evidence() []string {
	t := ui.Table{Head: []string{"upstream", "servers", "at"}}
	for _, p := range e.pools {
		var to []string
		for _, s := range p.Servers {
			to = append(to, joinPort(s.Address, s.Port))
		}
		if len(to) > 4 {
			to = append(to[:3], fmt.Sprintf("and %d more", len(to)-3))
		}
		if p.Slots > 0 {
			to = append(to, fmt.Sprintf("%d found at run time", p.Slots))
		}
		t.Add(p.Name, strings.Join(to, ", "), p.Where)
	}
	return t.Lines()
}

// newDraft joins what the balancers' configurations say.
func newDraft(o initOptions, chosen []choice) *draft {
	d := &draft{}
	for _, file := range []string{o.nginx, o.haproxy} {
		if file != "" {
			d.from = append(d.from, file)
		}
	}
	for i, c := range chosen {
		d.balancer(fmt.Sprintf("edge%d", i+1), c)
	}
	d.app = appName(chosen[0].pools[0].Name)
	d.missing(chosen)
	d.settlePorts(chosen)
	if len(d.hosts) == 0 && d.spare == 0 {
		d.spare = 1
	}
	if len(d.hosts) > 0 {
		d.spare = 0 // the notes say what is missing
	}
	if len(d.hosts)+d.spare == 1 {
		d.notes = append(d.notes, "one host: while it is out nobody serves; a rollout wants --allow-downtime")
	}
	return d
}

func (d *draft) balancer(name string, c choice) {
	l := draftLB{name: name, kind: c.Kind, socket: c.Socket, config: c.Config}
	for _, n := range c.Notes {
		d.notes = append(d.notes, n.String())
	}
	for _, pool := range c.pools {
		l.upstreams = append(l.upstreams, pool.Name)
		d.pool(name, pool)
		d.spare = max(d.spare, min(pool.Slots, 100))
	}
	for _, pool := range c.pools {
		for _, other := range c.Sharing(pool) {
			if !slices.Contains(l.upstreams, other.Name) {
				l.upstreams = append(l.upstreams, other.Name)
				d.notes = append(d.notes, fmt.Sprintf("%s: %s sends to hosts of %s too, and is listed with it", other.Where, other.Name, pool.Name))
			}
		}
	}
	l.guessed = l.kind == "nginx" && l.config == "" || l.kind == "haproxy" && l.socket == ""
	l.config, l.socket = or(l.config, defaultConfig), or(l.socket, defaultSocket)
	d.lbs = append(d.lbs, l)
}

func (d *draft) pool(lbName string, p *lb.ProposedPool) {
	for _, n := range p.Notes {
		d.notes = append(d.notes, n.String())
	}
	d.health.merge(p, len(d.lbs) == 0 && len(d.hosts) == 0)
	for _, s := range p.Servers {
		d.host(lbName, s)
	}
}

// merge takes what the first pool that knows a path says. It is TCP when all are.
func (h *draftHealth) merge(p *lb.ProposedPool, first bool) {
	h.tcp = p.TCP && (first || h.tcp)
	if first || h.Path == "" && p.Health.Path != "" {
		h.ProposedHealth = p.Health
	}
}

// missing notes hosts that one balancer has and another has not: plan refuses them.
func (d *draft) missing(chosen []choice) {
	for i, c := range chosen {
		for _, h := range d.hosts {
			if !slices.Contains(h.on, d.lbs[i].name) && !slices.ContainsFunc(c.pools, func(p *lb.ProposedPool) bool { return p.Slots > 0 }) {
				d.notes = append(d.notes, fmt.Sprintf("%s: %s (%s) is not in it: a rollout is refused until every balancer has every host", c.File, h.name, h.address))
			}
		}
	}
}

var notInAppName = regexp.MustCompile(`[^a-z0-9]+`)

// appName makes one of an upstream's.
func appName(upstream string) string {
	s := notInAppName.ReplaceAllString(strings.ToLower(upstream), "-")
	s = strings.Trim(s[:min(len(s), 63)], "-")
	return or(s, "app")
}

// settlePorts makes the ports that most hosts have those of the app; the others keep
// their own.
func (d *draft) settlePorts(chosen []choice) {
	d.ports, d.known = []int{8080}, false
	for _, c := range chosen {
		for _, p := range c.pools {
			if p.SlotPort > 0 {
				d.ports, d.known = []int{p.SlotPort}, true
			}
		}
	}
	count := map[string]int{}
	best := 0
	for _, h := range d.hosts {
		key := fmt.Sprint(h.ports)
		count[key]++
		if count[key] > best {
			best, d.ports, d.known = count[key], h.ports, true
		}
	}
	for i := range d.hosts {
		if slices.Equal(d.hosts[i].ports, d.ports) {
			d.hosts[i].ports = nil
		}
	}
}

func joinPort(address string, port int) string {
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return address + ":" + strconv.Itoa(port)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func shellWord(s string) string { return shellescape.Quote(s) }
