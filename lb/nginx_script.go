package lb

import (
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

//go:embed script/nginx.sh
var nginxSh string

//go:embed script/nginx_look.sh
var nginxLookSh string

//go:embed script/nginx_probe.sh
var nginxProbeSh string

//go:embed script/nginx_act.sh
var nginxActSh string

var (
	goodRollout = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)
	goodPath    = regexp.MustCompile(`^/[A-Za-z0-9_./-]+$`)
	goodURL     = regexp.MustCompile(`^[A-Za-z0-9_.~:/?#\[\]@!$&'()*+,;=%-]*$`)
)

// checkedNginx returns the hosts by address, or what in cfg may not go into a script.
func checkedNginx(cfg NginxConfig) (map[hostPort]string, error) {
	addrs, err := checked(HAProxyConfig{Upstreams: cfg.Upstreams, Socket: "/", Hosts: cfg.Hosts})
	var bad Faults
	if err != nil {
		for _, f := range err.(Faults) { //nolint:errorlint,forcetypeassert // checked makes no other
			if !strings.HasPrefix(f.text, "socket ") {
				bad = append(bad, f)
			}
		}
	}
	name := func(what, s string, ok bool) {
		if !ok {
			bad = append(bad, fault("FD-LB-NAME", "correct it in the inventory", "%s %q has characters that are not allowed", what, s))
		}
	}
	name("config", cfg.Config, goodPath.MatchString(cfg.Config) && path.Clean(cfg.Config) == cfg.Config)
	name("rollout", cfg.Rollout, goodRollout.MatchString(cfg.Rollout))
	name("health path", cfg.Probe.Path, goodURL.MatchString(cfg.Probe.Path))
	name("health host", cfg.Probe.Host, goodURL.MatchString(cfg.Probe.Host))
	if _, err := regexp.Compile(cfg.Probe.Status); err != nil || strings.Contains(cfg.Probe.Status, `\`) {
		name("health status", cfg.Probe.Status, false)
	}
	return addrs, bad.err()
}

// addr is where a backend is asked.
func (p Probe) addr(hp hostPort) string {
	if p.Port != 0 {
		hp.port = p.Port
	}
	return hp.String()
}

// goodProbe is what a good probe says.
func (n *Nginx) goodProbe() *regexp.Regexp {
	switch {
	case n.cfg.Probe.Path == "":
		return regexp.MustCompile(`^open$`)
	case n.cfg.Probe.Status != "":
		return regexp.MustCompile("^(" + n.cfg.Probe.Status + ")$")
	}
	return regexp.MustCompile(`^200$`)
}

// script wraps body so that it can stand before and after others in one shell.
func (n *Nginx) script(body string, vars ...string) string {
	all := append([]string{"FD_CONF", n.cfg.Config, "FD_SUDO", flag(n.cfg.Sudo),
		"FD_GET", n.cfg.Probe.Path, "FD_HOST", n.cfg.Probe.Host}, vars...)
	var b strings.Builder
	b.WriteString("(\n")
	for i := 0; i < len(all); i += 2 {
		fmt.Fprintf(&b, "%s=%s\n", all[i], shellescape.Quote(all[i+1]))
	}
	return b.String() + code(nginxSh) + code(body) + ")\n"
}

// lookScript asks; the answer may refer to the look before.
func (n *Nginx) lookScript(what lookFor) (script string, before *nginxLook) {
	n.mu.Lock()
	defer n.mu.Unlock()
	vars := []string{"FD_MORE", strings.Join(n.more, "\n"), "FD_NAMES", strings.Join(n.ask, " "), "FD_KNOWN", n.known(),
		"FD_FACTS", flag(n.conf == nil), "FD_PID", "", "FD_PORTS", "", "FD_PROBES", "", "FD_LOG", "", "FD_ACCESS", "", "FD_SAME", ""}
	body := nginxLookSh
	if n.before != nil {
		if paths, sums := n.before.comparable(); sums != "" {
			vars = append(vars, "FD_GLOBS", strings.Join(n.before.walked, "\n"), "FD_PATHS", paths, "FD_SAME", sums)
		}
	}
	if n.conf != nil {
		vars = append(vars, "FD_PID", n.pidFile())
		switch what {
		case lookFiles:
		case lookLogs:
			vars = append(vars, "FD_LOG", n.errorLog(), "FD_LOGAT", n.logged.at[""], "FD_ACCESS", n.accessLogs())
		case lookSocks:
			vars = append(vars, "FD_PORTS", n.ports())
		case lookLong:
			vars = append(vars, "FD_PORTS", n.ports(), "FD_POLLS", strconv.Itoa(freePolls))
		case lookAll:
			vars = append(vars, "FD_PORTS", n.ports(), "FD_PROBES", n.probed())
			body = nginxProbeSh + nginxLookSh
		}
	}
	return n.script(body, vars...), n.before
}

func (n *Nginx) known() string {
	var all []string
	for s := range n.texts {
		all = append(all, s[:min(12, len(s))])
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// ports are those of all hosts as /proc/net/tcp has them.
func (n *Nginx) ports() string {
	var all []string
	for hp := range n.addrs {
		all = append(all, fmt.Sprintf("%04X", hp.port))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

func (n *Nginx) probed() string {
	var all []string
	for hp := range n.addrs {
		all = append(all, n.cfg.Probe.addr(hp))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// pidFile is nginx's: as configured, else as built. The caller holds mu.
func (n *Nginx) pidFile() string {
	return n.under(n.conf.setting("pid", n.built("pid-path", "/run/nginx.pid")))
}

// errorLog is where reloads that fail say so, "" when that is no file.
func (n *Nginx) errorLog() string {
	p := n.conf.setting("error_log", n.built("error-log-path", ""))
	if p == "" || p == "stderr" || p == "/dev/null" || strings.Contains(p, ":") || !goodPath.MatchString(n.under(p)) {
		return ""
	}
	return n.under(p)
}

// under makes a path of the configuration absolute, from nginx's prefix.
func (n *Nginx) under(p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return path.Join(n.built("prefix", "/"), p)
}

// built is an option that nginx was built with.
func (n *Nginx) built(option, without string) string {
	_, rest, ok := strings.Cut(" "+n.facts.configure, " --"+option+"=")
	if !ok {
		return without
	}
	v, _, _ := strings.Cut(rest, " ")
	return strings.Trim(v, `'"`)
}

// setting is the last value of a directive that stands outside all blocks.
func (c *nginxConf) setting(name, without string) string {
	_ = c.walk(func(d *directive, around []*directive) error {
		if len(around) == 0 && d.name() == name && len(d.args) > 1 {
			without = d.args[1]
		}
		return nil
	})
	return without
}

// arguments has nginx -t and -s reload read what the running master reads. Its title
// is all that is left of its own arguments, without quotes.
func (n *Nginx) arguments(title string) string {
	words := []string{"-c", n.cfg.Config}
	f := strings.Fields(title)
	for i := 0; i+1 < len(f); i++ {
		if f[i] == "-p" {
			words = append(words, "-p", f[i+1])
		}
	}
	if _, g, ok := strings.Cut(title, " -g "); ok {
		g = strings.TrimSpace(g)
		if i := strings.LastIndexByte(g, ';'); i >= 0 && !onlyMode.MatchString(g[:i+1]) {
			words = append(words, "-g", g[:i+1])
		}
	}
	return shellescape.QuoteCommand(words)
}

// onlyMode: how it was started, which is nothing to -t and -s.
var onlyMode = regexp.MustCompile(`^\s*((daemon|master_process)\s+(on|off);\s*)*$`)

// SudoCommands are the commands that go through sudo where the SSH user is not root,
// for lines in sudoers. With write access to nginx's configuration they amount to root.
func (c NginxConfig) SudoCommands(bin string, files ...string) []string {
	all := []string{bin + " -c " + c.Config + " -t -q", bin + " -c " + c.Config + " -s reload"}
	for _, f := range files {
		to := path.Dir(f) + "/.flipdeploy-" + path.Base(f)
		all = append(all, "cat "+f, "rm -f "+to, "cp -p "+f+" "+to, "tee "+to, "touch -r "+f+" "+to, "mv -f "+to+" "+f)
	}
	return all
}
