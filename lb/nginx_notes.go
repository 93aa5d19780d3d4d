package lb

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// Notes says what people should know of this nginx before a rollout: what its reloads
// can cost, and settings that matter while a host is out.
func (n *Nginx) Notes(ctx context.Context) ([]string, error) {
	s, err := n.look(ctx, lookFiles)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	version := strings.TrimPrefix(n.facts.version, "nginx/")
	n.mu.Unlock()
	notes := []string{reloadCost(version, s.conf)}
	notes = append(notes, s.conf.settings()...)
	notes = append(notes, n.poolNotes(s)...)
	if len(s.old) > 0 {
		notes = append(notes, counted(len(s.old), "old nginx worker")+" still shutting down")
	}
	return notes, nil
}

// keepaliveFix is the first version with keepalive_min_timeout.
var keepaliveFix = []int{1, 27, 4}

func reloadCost(version string, c *nginxConf) string {
	words := "each nginx reload can reset busy keep-alive connections of clients that do not retry"
	set := c.values("keepalive_min_timeout")
	switch {
	case versionLess(version, keepaliveFix):
		return "nginx " + version + ": " + words + "; keepalive_min_timeout, from nginx 1.27.4 on, cures it"
	case len(set) > 0 && set[0] != "0":
		return "nginx " + version + ": keepalive_min_timeout " + set[0] + ": a reload resets no busy keep-alive connection"
	}
	return "nginx " + version + ": " + words + "; `keepalive_min_timeout 1s;` in the http block cures it"
}

func versionLess(version string, than []int) bool {
	for i, p := range strings.SplitN(version, ".", 3) {
		n, _ := strconv.Atoi(p)
		if i < len(than) && n != than[i] {
			return n < than[i]
		}
	}
	return false
}

// values are those of a directive, wherever it stands, once each.
func (c *nginxConf) values(name string) []string {
	var all []string
	_ = c.walk(func(d *directive, _ []*directive) error {
		if d.name() == name {
			if v := strings.Join(d.args[1:], " "); !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
		return nil
	})
	return all
}

func (c *nginxConf) settings() []string {
	var notes []string
	for _, v := range c.values("worker_shutdown_timeout") {
		notes = append(notes, "worker_shutdown_timeout "+v+": requests that take longer are cut at each reload")
	}
	for _, v := range c.values("keepalive_timeout") {
		notes = append(notes, "keepalive_timeout "+v)
	}
	for _, name := range []string{"proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass"} {
		for _, v := range c.values(name) {
			if strings.ContainsRune(v, '$') {
				notes = append(notes, name+" "+v+": where it leads is decided at run time and cannot be checked")
			}
		}
	}
	for _, v := range c.values("resolver") {
		notes = append(notes, "resolver "+v+": names may be resolved at run time, past every upstream")
	}
	return notes
}

// poolNotes are about the listed upstreams.
func (n *Nginx) poolNotes(s *nginxSnapshot) []string {
	var notes []string
	_ = s.conf.walk(func(d *directive, around []*directive) error {
		if len(around) != 2 || around[1].name() != "upstream" || len(around[1].args) != 2 || !containsFold(n.cfg.Upstreams, around[1].args[1]) {
			return nil
		}
		up := "upstream " + around[1].args[1] + ": "
		switch d.name() {
		case "hash", "ip_hash":
			notes = append(notes, up+strings.Join(d.args, " ")+": clients of a host that is out move to others, and back")
		case "zone", "least_conn", "random", "keepalive":
			notes = append(notes, up+strings.Join(d.args, " "))
		case "server":
			if len(d.args) > 2 && slices.Contains(d.args[2:], "backup") {
				notes = append(notes, up+d.args[1]+" is a backup: it serves only while no other does")
			}
		}
		return nil
	})
	return slices.Compact(notes)
}
