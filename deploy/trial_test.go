package deploy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// busyLB counts requests: so many a second to every host, of which some fail on hosts
// that run the new release.
type busyLB struct {
	*simLB
	began            time.Time
	perSecond        int64
	bad, good        float64 // share that fails on the new release, and on the old
	restartsAt       time.Duration
	restarts         bool // all the time
	dumb, quietAfter bool // counts no requests; only the host that bakes gets any
}

func (b *busyLB) Counters(_ context.Context, hosts []string) (map[string]Counters, error) {
	if b.began.IsZero() {
		b.began = time.Now()
	}
	all := map[string]Counters{}
	for i, h := range hosts {
		n := int64(time.Since(b.began).Seconds() * float64(b.perSecond))
		rate := b.good
		if b.s.hosts[h].runs == v2 {
			rate = b.bad
		}
		c := Counters{Generation: "1", Requests: n, Errors5xx: int64(float64(n) * rate)}
		if b.restartsAt > 0 && time.Since(b.began) > b.restartsAt {
			c.Generation = "2"
		}
		if b.restarts {
			c.Generation = fmt.Sprint(n)
		}
		if b.dumb || b.quietAfter && i > 0 {
			c = Counters{Generation: "1"}
		}
		all[h] = c
	}
	return all, nil
}

// tried is a rollout before the judge; the balancer counts as b does.
func tried(t *testing.T, n int, w Wish, b *busyLB) (Result, *sim) {
	t.Helper()
	s := newSim(n, 1, v1)
	res := reviewed(t, s, w, func(r *Rollout) {
		b.simLB = s.lbs[0]
		r.with(0, b)
	})
	return res, s
}

func judged() Wish {
	w := wish(1)
	w.Judge = &Judge{MinRequests: 200, BakeMax: time.Minute}
	return w
}

func TestAReleaseThatAnswersErrorsIsStoppedAtTheCanary(t *testing.T) {
	for name, w := range map[string]Wish{"judged": judged(), "by default": wish(1)} {
		res, s := tried(t, 3, w, &busyLB{perSecond: 200, bad: 0.03})
		want(t, name, string(res.Outcome)+" "+res.Code, "rolled_back FD-JUDGE")
		want(t, name, res.Error, "web1: bake: judge: 12 of 400 requests failed, 0 of 800 on the old release (p = 1.7e-06)")
		want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 ready")
		want(t, "web2 reloads", fmt.Sprint(s.hosts["web2"].cycles), "0")
	}
}

func TestARareErrorStopsNobody(t *testing.T) {
	res, s := tried(t, 3, judged(), &busyLB{perSecond: 1000, bad: 0.001})
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "web1", s.said("web1"), "judge: pass: 2 of 2001 requests failed, 0 of 4002 on the old release; more than 0.31 % failing is excluded")
	want(t, "web3", s.said("web3"), "judge: inconclusive: 2 of 2002 requests failed, and no host on the old release to compare with")
}

// said is what the journal has of a host that is done.
func (s *sim) said(host string) (text string) {
	for _, r := range s.records {
		if r.Host == host && r.Kind == "outcome" && r.Act == Done {
			text = r.Detail
		}
	}
	return text
}

func TestErrorsOfTheOldReleaseAreNobodysFault(t *testing.T) {
	res, _ := tried(t, 3, judged(), &busyLB{perSecond: 500, bad: 0.05, good: 0.05})
	want(t, "outcome", string(res.Outcome), "done")
}

func TestACanaryIsWatchedUntilEnoughWasSeen(t *testing.T) {
	b := &busyLB{perSecond: 10}
	res, s := tried(t, 3, judged(), b)
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "web1", s.said("web1"), "judge: pass: 0 of 200 requests failed, 0 of 400 on the old release; more than 1.5 % failing is excluded")
	want(t, "web2", s.said("web2"), "judge: inconclusive: 0 of 20 requests failed, 0 of 20 on the old release: 200 to each are needed")
}

// The journal knows when a host was back, however long it was watched then.
func TestTheJournalSaysWhenAHostWasBack(t *testing.T) {
	_, s := tried(t, 3, judged(), &busyLB{perSecond: 20, bad: 0.03})
	var told []string
	readied := map[string]time.Time{}
	for _, r := range s.records {
		if r.Act == Readying {
			readied[r.Host] = r.Time
		}
		if !r.Back.IsZero() {
			told = append(told, fmt.Sprintf("%s %s, %s after %s", r.Host, r.Act, r.Time.Sub(r.Back).Round(time.Second), r.Back.Sub(readied[r.Host]).Round(5*time.Second)))
		}
	}
	want(t, "back", strings.Join(told, "; "), "web1 failed, 10s after 0s; web1 rolled_back, 0s after 0s")
}

func TestADoubtPausesTheRun(t *testing.T) {
	for _, c := range []struct {
		lb   *busyLB
		want string
	}{
		{&busyLB{}, "no request was counted"},
		{&busyLB{perSecond: 500, dumb: true}, "no request was counted"},
		{&busyLB{perSecond: 1}, "0 of 60 requests failed, 0 of 120 on the old release: 200 to each are needed"},
		{&busyLB{perSecond: 500, quietAfter: true}, "0 of 30059 requests failed, and no host on the old release to compare with"},
		{&busyLB{perSecond: 500, restarts: true}, "edge1 lost its counters meanwhile, or could not be asked"},
	} {
		res, s := tried(t, 3, judged(), c.lb)
		want(t, "outcome", fmt.Sprint(res.Outcome, res.Exit, " ", res.Code), "paused3 FD-JUDGE-DOUBT")
		want(t, "error", res.Error, "web1: bake: judge: inconclusive: "+c.want)
		want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v1/v1 ready; web3 v1/v1 ready")
	}
}

func TestABalancerThatRestartsIsCountedAnew(t *testing.T) {
	res, s := tried(t, 3, judged(), &busyLB{perSecond: 500, restartsAt: time.Second})
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "web1", s.said("web1"), "judge: pass: 0 of 502 requests failed, 0 of 1004 on the old release; more than 0.59 % failing is excluded")
}

func TestADoubtMayBePassed(t *testing.T) {
	w := judged()
	w.Judge.PassDoubt = true
	res, s := tried(t, 3, w, &busyLB{})
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "web1", s.said("web1"), "judge: inconclusive: no request was counted")
}

// With nobody left to go on with, a doubt is still no success.
func TestADoubtOfTheOnlyHostIsNoSuccess(t *testing.T) {
	w := judged()
	w.Downtime = true
	res, _ := tried(t, 1, w, &busyLB{perSecond: 500})
	want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Code), "paused FD-JUDGE-DOUBT")
}

func TestNobodyAsksForTrafficOnTheWayBackOrWhereNothingRan(t *testing.T) {
	s := newSim(3, 1, v1)
	res := reviewed(t, s, judged(), func(r *Rollout) { r.Plan.Mode = ModeRollback })
	want(t, "a rollback", string(res.Outcome), "done")
	s = newSim(3, 1, v1)
	for _, h := range s.hosts {
		h.runs = ""
	}
	res = finished(t, s, judged())
	want(t, "a first rollout", string(res.Outcome), "done")
}

// In waves a host bakes while the next leave: not while the judge is at a canary.
func TestWavesWaitForTheJudge(t *testing.T) {
	s := newSim(5, 1, v1)
	s.swappers = 1
	res := reviewed(t, s, judged(), func(*Rollout) {})
	want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Code), "paused FD-JUDGE-DOUBT")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v1/v1 ready; web3 v1/v1 ready; web4 v1/v1 ready; web5 v1/v1 ready")
}

// A deployer that dies while its canary bakes has nobody's word for it: whoever goes on
// has another host seen at work before the others follow.
func TestACanaryThatNobodySawToTheEndIsNone(t *testing.T) {
	s := newSim(4, 1, v1)
	s.plan = s.planned(v2, judged())
	s.records = []Record{{Rollout: "us", Kind: "intent", Host: "web1", Act: Readying, Release: v2}}
	s.hosts["web1"].current, s.hosts["web1"].runs = v2, v2
	for i, why := range []string{"nobody saw its bake to the end: it is", "the judge has not cleared it: it is", "the judge has not cleared it: it is"} {
		res := settled(t, s, goOn)
		want(t, "outcome", string(res.Outcome)+" "+res.Code, "paused FD-JUDGE-DOUBT")
		want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v1/v1 ready; web3 v1/v1 ready; web4 v1/v1 ready")
		want(t, "told", strings.Join(s.warned("FD-JUDGE-DOUBT")[i:], "; "), "web1: "+why+" judged again before any other host is changed")
	}
	s.trusts = true // a person who is content
	res := settled(t, s, goOn)
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "told", strings.Join(s.warned("FD-JUDGE-DOUBT")[3:], "; "), "web1: the judge has not cleared it: it bakes once more, and the others follow on your word")
	want(t, "web1", s.said("web1"), "judge: inconclusive: no request was counted")
}

// doubted is a fleet whose canary runs v2, and was in doubt when its run paused.
func doubted() *sim {
	s := newSim(4, 1, v1)
	s.plan = s.planned(v2, judged())
	s.records = []Record{{Rollout: "us", Kind: "outcome", Host: "web1", Act: Done, Release: v2, Doubt: true}}
	s.hosts["web1"].current, s.hosts["web1"].runs = v2, v2
	return s
}

// settledBefore is settled with a balancer that counts as b does.
func settledBefore(t *testing.T, s *sim, b *busyLB) (res Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := s.another()
		d.trusts = s.trusts
		b.simLB = d.lbs[0]
		d.with = func(r *Rollout) { r.with(0, b) }
		var err error
		if res, err = d.settle(t.Context(), context.Background(), goOn); err != nil {
			t.Error(err)
		}
	})
	for _, b := range s.broken {
		t.Error(b)
	}
	return res
}

// A canary that was in doubt is judged anew by whoever goes on, whether a person trusts it
// or not: cleared, the others follow; clearly bad, it goes back alone.
func TestADoubtIsJudgedAgain(t *testing.T) {
	for _, trusts := range []bool{false, true} {
		s := doubted()
		s.trusts = trusts
		res := settledBefore(t, s, &busyLB{perSecond: 500})
		want(t, "outcome", string(res.Outcome)+" "+res.Code, "done ")
		want(t, "web1", s.said("web1"), "judge: pass: 0 of 1000 requests failed, 0 of 3000 on the old release; more than 0.3 % failing is excluded")
		want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v2/v2 ready; web3 v2/v2 ready; web4 v2/v2 ready")

		s = doubted()
		s.trusts = trusts
		res = settledBefore(t, s, &busyLB{perSecond: 200, bad: 0.03})
		want(t, "outcome", string(res.Outcome)+" "+res.Code, "rolled_back FD-JUDGE")
		want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 ready; web4 v1/v1 ready")
		want(t, "web2 reloads", fmt.Sprint(s.hosts["web2"].cycles), "0")
	}
}

// Only what waits for the judge is judged again: not on the way back, and not where
// another canary was cleared.
func TestNobodyIsJudgedAgainForNothing(t *testing.T) {
	s := doubted()
	want(t, "outcome", string(settled(t, s, goBack).Outcome), "done")
	s.records = append(doubted().records, Record{Rollout: "us", Kind: "outcome", Host: "web2", Act: Done, Release: v2})
	for _, h := range s.names {
		s.hosts[h].current, s.hosts[h].runs = v2, v2
	}
	want(t, "outcome", string(settled(t, s, goOn).Outcome), "done")
	want(t, "told", strings.Join(s.warned("FD-JUDGE-DOUBT"), "; "), "")
}

// warned is what was told as a warning of that code.
func (s *sim) warned(code string) (texts []string) {
	for _, e := range s.events {
		if e.Kind == KindWarning && e.Code == code {
			texts = append(texts, e.Host+": "+e.Detail)
		}
	}
	return texts
}
