package deploy

// Hosts that an earlier run changed, and of which too little was seen to let others
// follow, are looked at once more before any other host is.

// uncleared are those hosts, as many as there are canaries to wait for.
func (x *run) uncleared() (hosts []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.Plan.Judge == nil || x.Plan.Mode == ModeRollback || x.dir != Forward {
		return nil
	}
	v := View{Hosts: x.hosts, Canary: x.Plan.Canary, Judged: true}
	left := v.Canary - v.tally().proven
	for i := range x.hosts {
		if h := &x.hosts[i]; left > 0 && h.Phase == Done && h.Changes && h.Unseen && !h.InPlace {
			left--
			hosts = append(hosts, h.Name)
		}
	}
	return hosts
}

// judgeAgain has a host that serves bake once more, before the judge. One that somebody
// goes on with in spite of a doubt is stopped by what is clearly bad, and by nothing else.
func (x *run) judgeAgain(host string) ending {
	l := &life{run: x, host: x.Hosts[host], plan: x.planned(host), lbs: x.Carries[host], changed: true}
	l.runs = l.plan.To
	ctx, cancel := l.timed(x.ctx)
	defer cancel()
	said := "nobody saw its bake to the end: it is judged again before any other host is changed"
	x.with(host, func(v *HostView) {
		switch {
		case v.Doubt && v.Trusted:
			said = "the judge has not cleared it: it bakes once more, and the others follow on your word"
		case v.Doubt:
			said = "the judge has not cleared it: it is judged again before any other host is changed"
		}
	})
	x.warn(host, "", codeDoubt, said)
	if err := l.bake(ctx); err != nil {
		return l.failedBake(err)
	}
	x.with(host, func(v *HostView) { v.Unseen = false })
	l.done(ctx)
	return ending{phase: Done, runs: l.runs, changed: true}
}
