package lb

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A HAProxyConfig names a HAProxy and the hosts that it serves.
type HAProxyConfig struct {
	Name         string
	Upstreams    []string            // its pools of the app
	Socket       string              // path, or tcp://host:port
	MasterSocket string              // optional; lets old workers be asked
	Sudo         bool                // where the socket is not ours: socat or nc through `sudo -n`
	Hosts        map[string][]string // host → its addresses, host:port
	Elsewhere    map[string]bool     // hosts that need not be here
	PollEvery    time.Duration       // 100ms
	ReadyTimeout time.Duration       // 60s

	// AllowAgent accepts servers with an agent-check.
	AllowAgent bool
	// GracefulReload says that a stray request harms nobody while the host's release
	// is replaced: the app's socket stays open. Only then may maint be skipped.
	GracefulReload bool
	// MaintKeepsSessions says that no server has on-marked-down shutdown-sessions,
	// which cannot be read at run time: requests in flight survive maint. Only then
	// do sticky clients that never pause leave; else they end in a BusyError.
	MaintKeepsSessions bool

	// Share has a look at all servers be taken once for all who want one at a time: each
	// host that is out is watched by one of its own. What began before somebody came is not
	// for them. nil: each looks.
	Share func(ctx context.Context, look func(context.Context) ([]byte, error)) ([]byte, error)
}

// HAProxy drives one HAProxy over its runtime socket. It may be used by several
// goroutines; acts on one host must not overlap.
type HAProxy struct {
	cfg    HAProxyConfig
	addrs  map[hostPort]string // → host
	bad    error               // what is wrong with cfg
	read   Runner
	mu     sync.Mutex
	left   map[string]Left
	trying map[string]bool // a drain was sent and its end is not known
	gen    generation
	genAt  time.Time // when gen was seen to replace another, zero if never
	sticky map[generation]string
}

// NewHAProxy makes no connection. What is wrong with cfg is told by each call.
func NewHAProxy(cfg HAProxyConfig, read Runner) *HAProxy {
	if cfg.PollEvery <= 0 {
		cfg.PollEvery = 100 * time.Millisecond
	}
	if cfg.ReadyTimeout <= 0 {
		cfg.ReadyTimeout = time.Minute
	}
	if cfg.Share == nil {
		cfg.Share = func(ctx context.Context, look func(context.Context) ([]byte, error)) ([]byte, error) {
			return look(ctx)
		}
	}
	h := &HAProxy{cfg: cfg, read: read, left: map[string]Left{}, trying: map[string]bool{}, sticky: map[generation]string{}}
	h.addrs, h.bad = checked(cfg)
	return h
}

// Name is the balancer's name in the inventory.
func (h *HAProxy) Name() string { return h.cfg.Name }

// Seats tells where every host stands, over all its addresses, under every name,
// in every listed upstream: the worst state wins.
func (h *HAProxy) Seats(ctx context.Context) (map[string]Seat, error) {
	s, err := h.look(ctx, "")
	if err != nil {
		return nil, err
	}
	seats := make(map[string]Seat, len(h.cfg.Hosts))
	for host := range h.cfg.Hosts {
		seats[host] = s.seat(host)
	}
	return seats, nil
}

// Counters are what HAProxy counted for each of hosts that it knows, since its start.
func (h *HAProxy) Counters(ctx context.Context, hosts []string) (map[string]Counters, error) {
	s, err := h.look(ctx, "")
	if err != nil {
		return nil, err
	}
	return s.counters(hosts), nil
}

// look reads the balancer's state in one connection; with a host, its requests in
// old workers too.
func (h *HAProxy) look(ctx context.Context, host string) (*snapshot, error) {
	if h.bad != nil {
		return nil, h.bad
	}
	ask := func(ctx context.Context) ([]byte, error) { return h.read.Run(ctx, h.lookScript(host)) }
	if host == "" {
		all := ask
		ask = func(ctx context.Context) ([]byte, error) { return h.cfg.Share(ctx, all) }
	}
	out, err := ask(ctx)
	if err != nil {
		return nil, h.explain("asking HAProxy", err)
	}
	return h.parsed(out)
}

func (h *HAProxy) parsed(out []byte) (*snapshot, error) {
	s, err := parseFrames(string(out))
	if err != nil {
		return nil, badReply(err)
	}
	s.assign(h.cfg.Upstreams, h.addrs)
	h.noticed(s.gen)
	return s, nil
}

// noticed remembers when HAProxy was seen to have restarted or reloaded.
func (h *HAProxy) noticed(g generation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gen != g && h.gen != (generation{}) {
		h.genAt = time.Now()
	}
	h.gen = g
}

func badReply(err error) error {
	return &Fault{code: "FD-LB-REPLY", text: "HAProxy's answer cannot be used", cause: err,
		hint: "ask it by hand: echo 'show info;show servers state;show stat' | socat -t10 - UNIX-CONNECT:SOCKET"}
}

// A generation is one HAProxy process; a restart or reload makes another.
type generation struct {
	pid   int
	start int64
}

func (g generation) String() string { return fmt.Sprintf("%d-%d", g.pid, g.start) }
