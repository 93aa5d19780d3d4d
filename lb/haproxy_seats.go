package lb

import (
	"slices"
	"strings"
)

// Bits of srv_admin_state. What the configuration file says (4) and a name set by
// hand (64) do not take a server out.
const (
	forcedMaint = 1
	trackMaint  = 2
	forcedDrain = 8
	trackDrain  = 16
	noAddress   = 32

	maintBits = forcedMaint | trackMaint | noAddress
	drainBits = forcedDrain | trackDrain
	outBits   = maintBits | drainBits
)

// States of operation, and bits of the checks, in `show servers state`.
const (
	opStopped = iota
	opStarting
	opRunning
	opStopping

	checkEnabled = 4
	agentEnabled = 4
)

func (v *server) out() int      { return v.admin & outBits }
func (v *server) inUse() bool   { return v.op == opStarting || v.op == opRunning }
func (v *server) serving() bool { return v.out() == 0 && v.uweight > 0 && v.inUse() }
func (v *server) checked() bool { return v.checkState&checkEnabled != 0 }

// full tells whether the check has passed as often as it may count.
func (v *server) full() bool { return v.health == v.rise+v.fall-1 && v.op == opRunning }

func (v *server) state() State {
	switch {
	case v.admin&maintBits != 0:
		return StateMaint
	case v.admin&drainBits != 0 || v.uweight == 0:
		return StateDrain
	case !v.inUse():
		return StateDown
	}
	return StateReady
}

// assign finds whose each server is: by address and port, under every name.
func (s *snapshot) assign(upstreams []string, addrs map[hostPort]string) {
	for _, v := range s.servers {
		v.listed = slices.Contains(upstreams, v.pool)
		v.host = addrs[v.addr]
		if v.host == "" {
			v.host = addrs[hostPort{v.fqdn, v.addr.port}]
		}
	}
}

// of are the servers of host in the listed upstreams.
func (s *snapshot) of(host string) []*server {
	var mine []*server
	for _, v := range s.servers {
		if v.listed && v.host == host {
			mine = append(mine, v)
		}
	}
	return mine
}

// targets are the servers that must be set so that all of host follow: those they
// track, at the end of the chain, in place of those that track.
func (s *snapshot) targets(host string) ([]*server, error) {
	var roots []*server
	for _, v := range s.of(host) {
		r := s.root(v)
		if r == nil || !r.listed || r.host != host {
			return nil, &RefusedError{Reason: ReasonTrack, Detail: v.key() + " " + v.tracked}
		}
		if !slices.Contains(roots, r) {
			roots = append(roots, r)
		}
	}
	if len(roots) == 0 {
		return nil, &RefusedError{Reason: ReasonAbsent}
	}
	return roots, nil
}

func (s *snapshot) root(v *server) *server {
	for range 16 {
		if v == nil || v.tracked == "" {
			return v
		}
		v = s.find(v.tracked)
	}
	return nil
}

func (s *snapshot) find(key string) *server {
	for _, v := range s.servers {
		if v.key() == key {
			return v
		}
	}
	return nil
}

// counters are those of each of hosts that has a server, all of its servers together.
func (s *snapshot) counters(hosts []string) map[string]Counters {
	all, asked := make(map[string]Counters, len(hosts)), make(map[string]bool, len(hosts)) // of thousands
	for _, host := range hosts {
		asked[host] = true
	}
	for _, v := range s.servers {
		if v.listed && asked[v.host] {
			all[v.host] = all[v.host].plus(v.counts, s.gen)
		}
	}
	return all
}

func (c Counters) plus(d Counters, g generation) Counters {
	return Counters{g.String(), c.Requests + d.Requests, c.Errors5xx + d.Errors5xx, c.Broken + d.Broken,
		c.Connect + d.Connect, c.Retries + d.Retries, c.ChecksDown + d.ChecksDown}
}

var worst = []State{StateAbsent, StateReady, StateDown, StateDrain, StateMaint}

// seat is host's place over all its servers. A backup server does not count as
// serving: it gets no request while others do.
func (s *snapshot) seat(host string) Seat {
	seat := Seat{State: StateAbsent}
	active, serving := 0, 0
	var words []string
	for _, v := range s.of(host) {
		if slices.Index(worst, v.state()) > slices.Index(worst, seat.State) {
			seat.State = v.state()
		}
		if !v.backup {
			active++
		}
		if !v.backup && v.serving() {
			serving++
		}
		seat.Sessions += v.scur + v.qcur
		words = append(words, v.key()+" "+v.status)
	}
	seat.Serving = active > 0 && serving == active
	seat.Detail = strings.Join(words, ", ")
	return seat
}
