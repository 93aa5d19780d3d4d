package cli

import (
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A foretold is a plan with what is known of every host.
type foretold struct {
	deploy.Plan
	Command       string         `json:"command"` // that carries it out
	Detail        string         `json:"detail"`
	LeastServing  int            `json:"least_serving"`
	BytesArtifact int64          `json:"bytes_artifact"`
	BytesSend     int64          `json:"bytes_send"`
	BytesAtMost   bool           `json:"bytes_at_most"` // a delta or packing may make them fewer
	BytesFetch    int64          `json:"bytes_fetch"`   // by the hosts themselves
	From          string         `json:"fetched_from,omitempty"`
	Order         []string       `json:"order"` // in which hosts change
	Hosts         []foretoldHost `json:"hosts"`
	Notes         []noted        `json:"notes"`
	File          string         `json:"file,omitempty"` // it was written to
}

type foretoldHost struct {
	deploy.PlannedHost
	FromRevision string         `json:"from_revision"`
	ToRevision   string         `json:"to_revision"`
	Changes      bool           `json:"changes"`
	Canary       bool           `json:"canary"`
	Bytes        int64          `json:"bytes"`    // from here
	Fetches      int64          `json:"fetches"`  // bytes, by itself
	WayBack      string         `json:"way_back"` // release to come back to, "" for none
	LBs          []foretoldSeat `json:"lbs"`
}

type foretoldSeat struct {
	LB       string       `json:"lb"`
	Backends []string     `json:"backends"` // upstream@address:port
	State    deploy.State `json:"state"`
	Sessions int          `json:"sessions"`
	Owner    string       `json:"owner"`
}

func (a *asking) foretold(o rolloutOptions, p deploy.Plan, survey deploy.Survey, art *site.Artifact) foretold {
	f := foretold{Plan: p, Command: "flipdeploy " + string(o.mode), LeastServing: min(p.MinServing, p.Served()),
		Order: inOrder(p), Hosts: []foretoldHost{}}
	if art != nil {
		f.BytesArtifact, f.BytesAtMost = art.Size, art.MayShrink()
		if art.From != nil {
			f.From = art.From.String()
		}
	}
	canaries := f.Order[:min(p.Canary, len(f.Order))]
	for _, h := range p.Hosts {
		x := a.foretoldHost(h, survey, art)
		for _, c := range canaries {
			x.Canary = x.Canary || c == h.Name
		}
		f.BytesSend += x.Bytes
		f.BytesFetch += x.Fetches
		f.Hosts = append(f.Hosts, x)
	}
	f.Detail = f.headline() + "; " + numbers(p)
	return f
}

// inOrder are the hosts as they will change: those that do not serve first, since
// that costs no capacity.
func inOrder(p deploy.Plan) []string {
	all, dead, live := []string{}, []string{}, []string{}
	for i, h := range p.Hosts {
		if i > 0 && h.Zone != p.Hosts[i-1].Zone {
			all, dead, live = slices.Concat(all, dead, live), nil, nil
		}
		switch {
		case !h.Changes():
		case h.Serving:
			live = append(live, h.Name)
		default:
			dead = append(dead, h.Name)
		}
	}
	return slices.Concat(all, dead, live)
}

func (a *asking) foretoldHost(h deploy.PlannedHost, survey deploy.Survey, art *site.Artifact) foretoldHost {
	x := foretoldHost{PlannedHost: h, FromRevision: deploy.RevisionOf(h.From), ToRevision: deploy.RevisionOf(h.To),
		Changes: h.Changes(), LBs: []foretoldSeat{}}
	if h.Changes() {
		x.WayBack = strings.TrimPrefix(h.From, site.Unmanaged)
	}
	facts := a.hosts[h.Name].facts
	if art != nil && h.Changes() && (&prepared{art: art}).release(h.To).SHA256 != "" && facts.Releases[h.To] != art.SHA256 {
		if art.CanPull(facts.Tools) {
			x.Fetches = art.FileSize()
		} else {
			x.Bytes = art.Size
		}
	}
	for _, b := range a.lbs {
		seat := survey.Seats[b.name][h.Name]
		s := foretoldSeat{LB: b.name, Backends: []string{}, State: deploy.State(or(string(seat.State), string(deploy.StateUnknown))), Sessions: seat.Sessions, Owner: seat.Owner}
		for _, k := range b.keys[h.Name] {
			s.Backends = append(s.Backends, k.Upstream+"@"+k.Address)
		}
		x.LBs = append(x.LBs, s)
	}
	return x
}
