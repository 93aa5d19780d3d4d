package lb

import (
	"context"
	_ "embed"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:embed script/nginx_check.sh
var nginxCheckSh string

// Check returns nil when everything a rollout needs of this nginx is there. It changes
// nothing and returns all faults at once, as Faults.
func (n *Nginx) Check(ctx context.Context) error {
	s, err := n.look(ctx, lookFiles)
	if err != nil {
		return alone(err)
	}
	all, err := n.faults(s)
	if err != nil {
		return alone(err)
	}
	out, err := n.read.Run(ctx, n.checkScript(s))
	if err != nil {
		return alone(n.explain("asking nginx", err))
	}
	return append(all, n.machineFaults(string(out))...).err()
}

func (n *Nginx) checkScript(s *nginxSnapshot) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.script(nginxProbeSh+fullSh+nginxCheckSh, "FD_READ", strings.Join(slices.Sorted(maps.Keys(s.files)), "\n"), "FD_PID", n.pidFile(), "FD_ARGS", n.arguments(s.title),
		"FD_PROBES", n.probed(), "FD_FILES", strings.Join(s.edited(), "\n"))
}

// edited are the files that hold lines of the fleet.
func (s *nginxSnapshot) edited() []string {
	files := map[string]bool{}
	for _, l := range s.lines {
		if l.listed && l.host != "" {
			files[l.at.file.path] = true
		}
	}
	return slices.Sorted(maps.Keys(files))
}

func (n *Nginx) faults(s *nginxSnapshot) (Faults, error) {
	var all Faults
	if f := n.otherConfig(s.title); f != nil {
		all = append(all, f)
	}
	if len(s.foreign) > 0 {
		all = append(all, pendingEdits(s.foreign))
	}
	var crowd *Fault
	if errors.As(n.crowded(s), &crowd) {
		all = append(all, crowd)
	}
	named, err := s.conf.upstreams()
	if err != nil {
		return nil, n.unread(err)
	}
	for _, u := range n.cfg.Upstreams {
		if !containsFold(named, u) {
			all = append(all, fault("FD-LB-UPSTREAM", "set `upstream` to one of: "+strings.Join(named, ", "), "upstream %s does not exist in %s", u, n.cfg.Config))
		}
	}
	passes, err := s.conf.passes()
	if err != nil {
		return nil, n.unread(err)
	}
	for _, host := range sorted(n.cfg.Hosts) {
		all = append(all, n.hostFaults(host, s, passes)...)
	}
	return all, nil
}

// otherConfig: the running nginx was started with another file than ours.
func (n *Nginx) otherConfig(title string) *Fault {
	runs := n.built("conf-path", n.cfg.Config)
	if _, rest, ok := strings.Cut(title, " -c "); ok {
		runs, _, _ = strings.Cut(rest, " ")
	}
	if runs == n.cfg.Config || !strings.HasPrefix(runs, "/") {
		return nil
	}
	return fault("FD-LB-NGINX-CONFIG", "set `config = \""+runs+"\"`", "nginx runs with %s, not with %s", runs, n.cfg.Config)
}

func (n *Nginx) hostFaults(host string, s *nginxSnapshot, passes []literalPass) Faults {
	var all Faults
	active := false
	for _, l := range s.lines {
		if l.host != host {
			continue
		}
		if !l.listed {
			all = append(all, fault("FD-LB-UNLISTED", "add "+l.upstream+" to `upstream`: the host gets its traffic from there too",
				"%s is in upstream %s as well, which is not listed (%s)", host, l.upstream, l.at.where()))
		}
		if l.twisted {
			all = append(all, fault("FD-LB-AMBIGUOUS", "write one server line an address", "%s: the name %s has addresses of several hosts (%s)", host, l.addr, l.at.where()))
		}
		active = active || l.listed && !l.backup
	}
	switch mine := s.of(host); {
	case len(mine) == 0 && n.cfg.Elsewhere[host]:
	case len(mine) == 0:
		all = append(all, n.absent(host, s))
	case !active:
		all = append(all, fault("FD-LB-BACKUP", "leave the host out of the inventory, or remove `backup`", "%s is a backup only, it gets no request while others serve (%s)", host, mine[0].at.where()))
	}
	for _, p := range passes {
		if hp, _, ok := nginxAddr(p.addr); ok && n.addrs[hp] == host {
			all = append(all, fault("FD-LB-LITERAL", "let it name an upstream block: proxy_pass http://"+n.cfg.Upstreams[0],
				"%s gets requests past every upstream: %s %s (%s)", host, p.at.name(), p.at.args[1], p.at.where()))
		}
	}
	return all
}

func (n *Nginx) absent(host string, s *nginxSnapshot) *Fault {
	addrs := strings.Join(n.cfg.Hosts[host], ", ")
	f := fault("FD-LB-BACKEND", "set the host's `backend` to its address as nginx has it", "%s: %s is no server of %s", host, addrs, strings.Join(n.cfg.Upstreams, ", "))
	for _, l := range s.lines {
		if l.listed {
			f.evidence = append(f.evidence, l.key()+" ("+l.at.where()+")")
		}
	}
	if where := s.conf.commented(n.cfg.Hosts[host]); where != "" {
		f.text += ": its line is a comment in " + where
		f.hint = "remove the # there and reload nginx, or leave the host out of the inventory"
	}
	return f
}

// commented is where a server line of one of addrs stands behind a #, "" for nowhere.
func (c *nginxConf) commented(addrs []string) string {
	for _, path := range slices.Sorted(maps.Keys(c.used)) {
		for i, line := range strings.Split(c.files[path].text, "\n") {
			_, comment, _ := strings.Cut(line, "#")
			for _, a := range addrs {
				if ok, _ := regexp.MatchString(`^[\s#]*server\s+`+regexp.QuoteMeta(a)+`[\s;]`, comment); ok {
					return (&directive{file: c.files[path], words: []confToken{{start: lineStart(c.files[path].text, i)}}}).where()
				}
			}
		}
	}
	return ""
}

// lineStart is the offset of line i, from 0.
func lineStart(text string, i int) int {
	at := 0
	for ; i > 0; i-- {
		at += strings.IndexByte(text[at:], '\n') + 1
	}
	return at
}

// machineFaults reads what the check found on the machine.
func (n *Nginx) machineFaults(out string) Faults {
	var all Faults
	var broken []string
	for line := range strings.Lines(out) {
		word, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "broken":
			broken = append(broken, logWords(arg))
		case "cannot":
			all = append(all, cannot(arg))
		case "open":
			all = append(all, fault("FD-LB-NGINX-OPEN", "chmod o-w it", "everybody may write to %s, where nginx's configuration is", arg))
		}
	}
	shut := strings.Contains(out, "\ncannot write ") && strings.Contains(gravest(broken), "Permission denied")
	if len(broken) > 0 && !shut { // else it is we who may not test it, which is told already
		all = append(all, brokenBefore(broken))
	}
	return all
}

func cannot(what string) *Fault {
	verb, rest, _ := strings.Cut(what, " ")
	switch verb {
	case "sudo":
		return fault("FD-LB-NGINX-SUDO", "allow it in sudoers, NOPASSWD; the right to edit nginx's configuration amounts to root", "sudo does not allow: %s", rest)
	case "write":
		dir, _, _ := strings.Cut(rest, " ")
		return fault("FD-LB-NGINX-DENIED", "set ssh.sudo = true, or give the SSH user the right to write in "+dir, "%s may not be written", rest)
	}
	return fault("FD-LB-NGINX-TOOL", "install "+rest+" on the balancer", "%s is missing on the balancer", rest)
}

func brokenBefore(lines []string) *Fault {
	f := fault("FD-LB-NGINX-BROKEN", "mend what `nginx -t` says, on the balancer", "nginx -t fails before anything was changed: %s", gravest(lines))
	f.evidence = lines
	return f
}
