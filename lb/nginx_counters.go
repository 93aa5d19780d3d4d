package lb

import "context"

// Counters are what nginx wrote into its logs about each of hosts that it knows, since
// this driver first asked, over all its reloads; open-source nginx counts nothing itself.
// Requests and their status are there where an access log has upstream_addr and
// upstream_status. A log that may not be read counts nothing.
func (n *Nginx) Counters(ctx context.Context, hosts []string) (map[string]Counters, error) {
	n.mu.Lock()
	from := n.logged.reads
	n.mu.Unlock()
	s, err := n.look(ctx, lookLogs)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.logged.reads == from { // else another has counted the same lines
		n.logged.add(s.nginxLook, n.addrs)
	}
	all := make(map[string]Counters, len(hosts))
	for _, host := range hosts {
		if len(s.of(host)) > 0 {
			c := n.logged.counts[host]
			c.Generation = s.master
			all[host] = c
		}
	}
	return all, nil
}

// A nginxLogged is what was read from logs.
type nginxLogged struct {
	reads  int               // how often
	at     map[string]string // path → how far, as the script tells it; the error log is ""
	counts map[string]Counters
}

// add takes in what a look saw. A connection that failed is in both logs, and counts
// there once more.
func (g *nginxLogged) add(l *nginxLook, addrs map[hostPort]string) {
	g.reads++
	g.at[""] = l.log
	for path, at := range l.read {
		g.at[path] = at
	}
	count := func(of map[string]int64, to func(*Counters, int64)) {
		for addr, more := range of {
			if hp, err := parseHostPort(addr); err == nil && addrs[hp] != "" {
				c := g.counts[addrs[hp]]
				to(&c, more)
				g.counts[addrs[hp]] = c
			}
		}
	}
	count(l.errors, func(c *Counters, more int64) { c.Connect += more })
	count(l.answers, func(c *Counters, more int64) { c.Requests += more })
	count(l.fives, func(c *Counters, more int64) { c.Errors5xx += more })
}
