package cli

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/sshconfig"
)

// A network knows how machines are reached: as the inventory says, and as
// ~/.ssh/config says where it may. Machines that others are reached through are made
// once, and all connections behind one are channels in its own.
type network struct {
	ssh  inventory.SSH
	host func(sshconfig.Query) (sshconfig.Host, error) // what ~/.ssh/config says
	ask  func(ctx context.Context, key string) (string, error)

	mu   sync.Mutex
	said map[sshconfig.Query]*answer
	hops map[string]*remote.Machine
}

// An answer is what ~/.ssh/config says, asked once.
type answer struct {
	once sync.Once
	host sshconfig.Host
	err  error
}

func newNetwork(ssh inventory.SSH, ask func(context.Context, string) (string, error)) *network {
	return &network{ssh: ssh, ask: ask, host: sshconfig.Reader{}.Host, said: map[sshconfig.Query]*answer{}, hops: map[string]*remote.Machine{}}
}

// A target is one machine to be reached, or to be passed through.
type target struct {
	name string
	remote.Config
	jump []inventory.Jump // nil: what ~/.ssh/config says
}

// read asks for all machines of the inventory at once: each costs ssh a moment.
func (n *network) read(inv *inventory.Inventory) {
	if !n.ssh.Config {
		return
	}
	var all []inventory.Machine
	for _, l := range inv.LBs {
		all = append(all, l.Machine)
	}
	for _, h := range inv.Hosts {
		all = append(all, h.Machine)
	}
	room := make(chan struct{}, 4)
	_ = each(all, func(m inventory.Machine) error {
		room <- struct{}{}
		defer func() { <-room }()
		_, err := n.config(sshconfig.Query{Destination: m.Address, User: m.User, Port: m.SSHPort})
		return err
	})
}

func (n *network) config(q sshconfig.Query) (sshconfig.Host, error) {
	n.mu.Lock()
	a := n.said[q]
	if a == nil {
		a = &answer{}
		n.said[q] = a
	}
	n.mu.Unlock()
	a.once.Do(func() { a.host, a.err = n.host(q) })
	return a.host, a.err
}

// machine is how the machine is reached.
func (n *network) machine(m inventory.Machine) (remote.Config, error) {
	t := target{name: m.Name, jump: m.Jump, Config: remote.Config{Name: m.Name, Address: m.Address, Port: m.SSHPort,
		User: m.User, IdentityFiles: m.IdentityFiles, KnownHosts: m.KnownHosts, Passphrase: n.ask,
		MaxOutput: 8 << 20}} // journals, and the state of large pools
	c, err := n.reach(t, nil)
	return c, named(m.Name, err)
}

// reach is how the target is reached; behind are the machines that want to pass.
func (n *network) reach(t target, behind []string) (remote.Config, error) {
	c := t.Config
	if n.ssh.Config {
		h, err := n.config(sshconfig.Query{Destination: c.Address, User: c.User, Port: c.Port})
		if err != nil {
			return c, err
		}
		if c = asConfigured(c, h); t.jump == nil {
			if t.jump, err = inventory.ParseJump(h.Jump); err != nil {
				return c, &sshconfig.Error{Destination: t.Address, Err: fmt.Errorf("ProxyJump: %w", err)}
			}
		}
		if h.Proxy != "" && len(t.jump) == 0 {
			c.Dial = func() (net.Conn, error) { return sshconfig.Dial(h.Proxy) }
			return c, nil
		}
	}
	if len(t.jump) == 0 {
		return c, nil
	}
	via, err := n.hop(t, append(behind, place(t.Address, t.Port)))
	c.Via = via
	return c, err
}

// asConfigured fills in what the inventory leaves open.
func asConfigured(c remote.Config, h sshconfig.Host) remote.Config {
	c.Address, c.User, c.Port, c.HostKeyAlias = h.Name, h.User, h.Port, h.Alias
	c.Agent, c.LikeSSH, c.IdentitiesOnly, c.CertificateFiles = h.Agent, true, h.IdentitiesOnly, h.CertificateFiles
	if c.IdentityFiles == nil {
		c.IdentityFiles, c.UsualFiles = h.IdentityFiles, h.Usual
	} else {
		c.LikeSSH = false
	}
	if c.KnownHosts == nil {
		c.KnownHosts = h.KnownHosts
	}
	return c
}

// hop is the last machine before the target, reached through those before it.
func (n *network) hop(t target, behind []string) (*remote.Machine, error) {
	last := len(t.jump) - 1
	j := t.jump[last]
	if at := place(j.Host, j.Port); n.ssh.Config && slices.Contains(behind, at) {
		return nil, &sshconfig.Error{Destination: at, Err: fmt.Errorf("the jumps go in a circle: %s", strings.Join(append(behind, at), " → "))}
	}
	hop := target{name: j.Host, jump: t.jump[:last:last], Config: remote.Config{Name: j.Host, Address: j.Host, Port: j.Port,
		User: j.User, IdentityFiles: t.IdentityFiles, KnownHosts: t.KnownHosts, Passphrase: n.ask}}
	if n.ssh.Config {
		if last == 0 {
			hop.jump = nil
		}
	} else {
		hop.User = or(j.User, t.User)
	}
	c, err := n.reach(hop, behind)
	if err != nil {
		return nil, err
	}
	return n.shared(c), nil
}

// place is where a machine is said to be, as far as it is said.
func place(host string, port int) string {
	if port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// shared is the one machine that is reached in this way.
func (n *network) shared(c remote.Config) *remote.Machine {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := fmt.Sprintf("%s@%s:%d as %s by %q with %q %q %q %v via %p", c.User, c.Address, c.Port, c.HostKeyAlias,
		c.KnownHosts, c.IdentityFiles, c.CertificateFiles, c.Agent, c.IdentitiesOnly, c.Via)
	if n.hops[key] == nil {
		n.hops[key] = remote.New(c)
	}
	return n.hops[key]
}

// levels are the machines that connections go through: first those that are reached
// directly, then those behind one, and so on.
func (n *network) levels() (levels [][]*remote.Machine) {
	for _, key := range sortedKeys(n.hops) {
		depth := 0
		for via := n.hops[key].Via(); via != nil; via = via.Via() {
			depth++
		}
		for len(levels) <= depth {
			levels = append(levels, nil)
		}
		levels[depth] = append(levels[depth], n.hops[key])
	}
	return levels
}

// close ends what connections go through, once they have ended.
func (n *network) close() {
	for _, level := range slices.Backward(n.levels()) {
		_ = each(level, func(m *remote.Machine) error { return m.Close() })
	}
}
