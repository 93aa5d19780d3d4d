package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// A stager is a host of which only staging is asked.
type stager struct {
	Host
	stage func(tell func(n, of int64)) (Sent, error)
}

func (s stager) Stage(_ context.Context, _ Release, tell func(n, of int64)) (Sent, error) {
	return s.stage(tell)
}

func TestStagingTellsHowEachReleaseCame(t *testing.T) {
	const size = 20_000_000
	hosts := map[string]Host{
		"whole": stager{stage: func(tell func(n, of int64)) (Sent, error) {
			tell(0, size)
			tell(size, size)
			return Sent{Bytes: size, Note: "no delta: why"}, nil
		}},
		"delta": stager{stage: func(tell func(n, of int64)) (Sent, error) {
			tell(400_000, 400_000)
			return Sent{Bytes: 400_000, How: "a delta to v1-0a1b2c3d"}, nil
		}},
		"twice": stager{stage: func(tell func(n, of int64)) (Sent, error) {
			tell(400_000, 400_000)
			tell(size, size)
			return Sent{Bytes: size + 400_000, Note: "a delta did not work out"}, nil
		}},
		"there":  stager{stage: func(func(n, of int64)) (Sent, error) { return Sent{}, nil }},
		"copied": stager{stage: func(tell func(n, of int64)) (Sent, error) { tell(0, 0); return Sent{How: "a copy of v0-0a1b2c3d"}, nil }},
		"broken": stager{stage: func(tell func(n, of int64)) (Sent, error) {
			tell(1000, size)
			return Sent{Bytes: 1000}, errors.New("disk full")
		}},
	}
	var p Plan
	for name := range hosts {
		p.Hosts = append(p.Hosts, PlannedHost{Name: name, From: "v1-0a1b2c3d", To: "v2-01234567"})
	}
	var told []string
	var passed, total int64
	sent, err := StageAll(t.Context(), p, hosts, func(id string) Release { return Release{ID: id, Size: size} }, size, func(e Event) {
		if e.Phase == Staged {
			told = append(told, e.Host+": "+e.Detail)
			return
		}
		passed += e.Bytes
		if e.Total > 0 {
			total = e.Total
		}
	})
	if err == nil || err.Error() != "broken: stage: disk full" {
		t.Errorf("got %v", err)
	}
	if want := int64(2*size + 2*400_000 + 1000); sent != want || passed != want || total != want+size-1000 {
		t.Errorf("sent %d, told %d of %d, want %d", sent, passed, total, want)
	}
	slices.Sort(told)
	want := []string{
		"copied: v2, 0.0 of 20.0 MB: a copy of v0-0a1b2c3d",
		"delta: v2, 0.4 of 20.0 MB: a delta to v1-0a1b2c3d",
		"there: v2 was there",
		"twice: v2, 20.4 MB; a delta did not work out",
		"whole: v2, 20.0 MB; no delta: why",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}
