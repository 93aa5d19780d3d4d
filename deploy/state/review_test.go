package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// kept is a journal as one balancer has it: records of `epoch:kind` written in turn, of
// which those with a minus were missed.
func kept(words string) []Journal {
	at := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	var b strings.Builder
	b.WriteString("{\"file\":\"r1.jsonl\"}\n")
	for i, w := range strings.Fields(words) {
		if strings.HasPrefix(w, "-") {
			continue
		}
		r := deploy.Record{Rollout: "r1", Kind: w[2:], Time: at.Add(time.Duration(i) * time.Second), Epoch: int64(w[0] - '0')}
		if r.Kind == "plan" {
			r.Plan = &deploy.Plan{Rollout: "r1"}
		}
		line, _ := encode(r.Epoch, r)
		b.WriteString(line + "\n")
	}
	return ReadJournals([]byte(b.String()))
}

// A balancer that was away missed that the rollout turned back; then the other was away
// for longer. Neither has all of it.
func TestWhatEitherBalancerKeptIsNotLost(t *testing.T) {
	one := kept("7:plan 7:intent -7:turn 8:resume 8:intent 8:outcome")
	two := kept("7:plan 7:intent 7:turn 8:resume -8:intent -8:outcome")
	for _, lists := range [][][]Journal{{one, two}, {two, one}} {
		all := Merge(lists...)
		equal(t, len(all), 1)
		var got []string
		for _, r := range all[0].Records {
			got = append(got, fmt.Sprintf("%d:%s", r.Epoch, r.Kind))
		}
		equal(t, strings.Join(got, " "), "7:plan 7:intent 7:turn 8:resume 8:intent 8:outcome")
		equal(t, len(all[0].Lines), 6)
		equal(t, len(one[0].Records)+len(two[0].Records), 9)
	}
}

func TestAnEndThatOneBalancerKeptIsTheEnd(t *testing.T) {
	all := Merge(kept("7:plan 7:intent -7:outcome -7:intent -7:outcome 8:resume 8:end"), kept("7:plan 7:intent 7:outcome 7:intent 7:outcome 8:resume -8:end"))
	equal(t, all[0].Unfinished(), false)
}
