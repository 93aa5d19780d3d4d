package inventory

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// A builder makes the inventory from a tree whose types are checked. It reads
// on after a fault, so that all are told.
type builder struct {
	*faults
	root *node
	dir  string
	inv  *Inventory

	lbFrom, hostFrom []section // where each of inv.LBs and inv.Hosts stands in the file
}

func build(root *node, f *faults, path string) (*Inventory, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, refuse(path, "the working directory is gone: "+reason(err), "", err)
	}
	b := &builder{faults: f, root: root, dir: filepath.Dir(abs)}
	b.inv = &Inventory{Path: path, Dir: b.dir}
	b.inv.SSH = b.ssh()
	b.inv.App = b.app()
	b.inv.Reload = b.reload()
	b.inv.Health = b.health()
	b.inv.Rollout = b.rollout()
	b.inv.Hooks = b.hooks()
	b.inv.State = b.state()
	b.machines()
	b.deadlines()
	if err := f.err(path); err != nil {
		return nil, err
	}
	return b.inv, nil
}

// section reads a table; one that is missing, or no table at all, has every
// default.
func (b *builder) section(key string) section {
	n := b.root
	for part := range strings.SplitSeq(key, ".") {
		if n != nil {
			n = n.kids[part]
		}
	}
	if n == nil || n.kids == nil {
		return section{faults: b.faults, key: key, n: &node{bad: n != nil}, at: b.placeOf(n)}
	}
	return section{faults: b.faults, key: key, n: n, at: n.at}
}

func (b *builder) placeOf(n *node) pos {
	if n == nil {
		return pos{}
	}
	return n.at
}

func (b *builder) app() App {
	s := b.section("app")
	s.need("name", "it names the lock, the journal and the history")
	a := App{
		Name:     s.str("name", "", appName),
		Artifact: b.artifact(s),
		SHA256:   strings.ToLower(s.str("sha256", "", sha256Sum)),
		Entry:    s.str("entry", "", innerPath),
		Path:     s.str("path", "", remotePath),
		Ports:    s.ports("port", nil),
		Keep:     s.num("keep", 5, 1, 10000),
		RunAs:    s.str("run_as", "", userName),
	}
	if signers := b.locals(s, "allowed_signers", nil); len(signers) > 0 {
		a.AllowedSigners = signers[0]
	}
	return a
}

// artifact is a path of this machine; what is fetched keeps its address.
func (b *builder) artifact(s section) string {
	v := s.str("artifact", "")
	scheme, _, ok := strings.Cut(v, "://")
	switch {
	case v == "":
		return v
	case fetched(v):
		s.needOr("sha256", "what is fetched is known by it alone", "the build prints it: sha256sum FILE")
		return v
	case ok:
		s.fault("artifact", quote(scheme+"://")+" is not known: a path, https:// or s3://", map[string]string{
			"file": "give the path alone", "http": "what http:// brings cannot be trusted: use https://"}[scheme])
		return ""
	}
	v, wrong := b.local(v)
	if wrong != "" {
		s.fault("artifact", wrong, "")
	}
	return v
}

func (b *builder) health() Health {
	s := b.section("health")
	h := Health{
		Kind:        s.word("kind", "http", "http", "tcp", "command"),
		Path:        s.str("path", "/health", urlPath),
		Scheme:      s.word("scheme", "http", "http", "https"),
		Host:        s.str("host", "", address),
		Port:        s.port("port", 0),
		Status:      s.statuses("status", []int{200}),
		Body:        s.str("body", ""),
		Command:     s.argv("command"),
		Rise:        s.num("rise", 3, 1, 1000),
		Interval:    s.dur("interval", 200*time.Millisecond, time.Millisecond),
		Timeout:     s.dur("timeout", 2*time.Second, time.Millisecond),
		Deadline:    s.dur("deadline", 30*time.Second, time.Millisecond),
		VersionPath: s.str("version_path", "", urlPath),
		Via:         s.word("via", "lb", "lb", "host", "auto"),
	}
	if ca := b.locals(s, "ca", nil); len(ca) > 0 {
		h.CA = ca[0]
	}
	if s.has("ca") && h.Scheme != "https" {
		s.fault("ca", `is for scheme = "https"`, "")
	}
	if s.has("command") && h.Kind != "command" {
		s.fault("command", `is for kind = "command"`, "")
	}
	if h.Kind == "command" {
		h.Via = b.commandVia(s, h)
	}
	return h
}

// commandVia: whatever reaches the host, a command is run on it.
func (b *builder) commandVia(s section, h Health) string {
	s.need("command", `kind = "command" runs it`)
	if s.has("via") && h.Via == "lb" {
		s.fault("via", `is not for kind = "command": a command runs on the host`, `leave it out, or write "host"`)
	}
	return "host"
}

func (b *builder) rollout() Rollout {
	s := b.section("rollout")
	r := Rollout{
		Parallel:         s.amount("parallel", Amount{N: 1}, 1),
		Canary:           s.amount("canary", Amount{N: 1}, 0),
		Bake:             s.dur("bake", 5*time.Second, 0),
		MinServing:       s.amount("min_serving", Amount{}, 1),
		MaxFailures:      s.amount("max_failures", Amount{}, 0),
		OnFailure:        s.word("on_failure", "rollback", "rollback", "pause", "continue"),
		DrainTimeout:     s.dur("drain_timeout", 30*time.Second, time.Millisecond),
		OnDrainTimeout:   s.word("on_drain_timeout", "abort", "abort", "proceed", "cut"),
		LBReadyTimeout:   s.dur("lb_ready_timeout", time.Minute, time.Millisecond),
		HostDeadline:     s.dur("host_deadline", 5*time.Minute, time.Millisecond),
		ProgressDeadline: s.dur("progress_deadline", 15*time.Minute, time.Millisecond),
	}
	r.Judge = b.judge()
	r.ZoneBake = s.dur("zone_bake", 30*time.Second, 0)
	return r
}

func (b *builder) judge() Judge {
	s := b.section("rollout.judge")
	return Judge{
		On:          s.n.kids != nil,
		MinRequests: s.num("min_requests", 200, 1, 1000000),
		BakeMax:     s.dur("bake_max", 90*time.Second, 0),
		OnDoubt:     s.word("on_doubt", "pause", "pause", "pass"),
	}
}

func (b *builder) hooks() Hooks {
	s := b.section("hooks")
	return Hooks{
		Before:     s.argv("before"),
		After:      s.argv("after"),
		BeforeHost: s.argv("before_host"),
		AfterHost:  s.argv("after_host"),
		Timeout:    s.dur("timeout", time.Minute, time.Millisecond),
	}
}

func (b *builder) ssh() SSH {
	s := b.section("ssh")
	h := SSH{Config: s.flag("config", false)}
	user, port := currentUser(), 22
	if h.Config { // which then says it
		user, port = "", 0
	}
	h.User, h.Port = s.str("user", user, userName), s.port("port", port)
	h.Jump = b.jump(s, "jump", nil)
	h.Sudo = s.flag("sudo", h.User != "root")
	h.IdentityFiles = b.locals(s, "identity_file", nil)
	h.KnownHosts = b.locals(s, "known_hosts", nil)
	if h.KnownHosts == nil && !h.Config {
		if path, wrong := b.local("~/.ssh/known_hosts"); wrong == "" {
			h.KnownHosts = []string{path}
		} else {
			s.fault("known_hosts", wrong, "")
		}
	}
	return h
}

// currentUser is who ssh would log in as where nothing is said.
func currentUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// locals reads one path of this machine or several.
func (b *builder) locals(s section, key string, def []string) []string {
	var list []string
	for _, v := range s.strs(key) {
		path, wrong := b.local(v)
		if wrong != "" {
			s.fault(key, wrong, "")
			return def
		}
		list = append(list, path)
	}
	if list == nil {
		return def
	}
	return list
}
