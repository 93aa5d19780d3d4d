package inventory

import (
	"fmt"
	"strings"
	"time"
)

// Recheck tells whether the deadlines still hold after flags have overridden
// numbers of the rollout.
func (inv *Inventory) Recheck() error {
	var f faults
	for _, d := range inv.late() {
		f.add(pos{}, d.key, d.text, d.hint)
	}
	return f.err(inv.Path)
}

// A lateness is a number that does not go with others: a deadline that would end what
// it should only bound.
type lateness struct{ key, text, hint string }

func (inv *Inventory) late() []lateness {
	var list []lateness
	h, r := inv.Health, inv.Rollout
	if least := time.Duration(h.Rise-1) * h.Interval; h.Deadline <= least {
		list = append(list, lateness{"health.deadline",
			fmt.Sprintf("%s must be more than %s: %d answers, %s apart", brief(h.Deadline), brief(least), h.Rise, brief(h.Interval)), longer("health.deadline", least)})
	}
	if r.Judge.On && r.Canary.N == 0 {
		list = append(list, lateness{"rollout.canary", "the judge needs a canary: at least 1", "set rollout.canary = 1, or take [rollout.judge] out"})
	}
	if sum := inv.hostTime(); r.HostDeadline <= sum {
		list = append(list, lateness{"rollout.host_deadline",
			fmt.Sprintf("%s must be more than %s: drain %s + reload %s + settle %s + health %s + lb_ready %s + %s",
				brief(r.HostDeadline), brief(sum), brief(r.DrainTimeout), brief(inv.Reload.Timeout), brief(inv.Reload.Settle),
				brief(h.Deadline), brief(r.LBReadyTimeout), r.longestBake()),
			longer("rollout.host_deadline", sum)})
	}
	if twice := 2 * r.HostDeadline; r.ProgressDeadline <= twice {
		list = append(list, lateness{"rollout.progress_deadline",
			fmt.Sprintf("%s must be more than %s: two host_deadlines", brief(r.ProgressDeadline), brief(twice)),
			longer("rollout.progress_deadline", twice)})
	}
	if sum := r.ZoneBake + r.HostDeadline; len(inv.Zones()) > 1 && r.ProgressDeadline <= sum {
		list = append(list, lateness{"rollout.progress_deadline",
			fmt.Sprintf("%s must be more than %s: zone_bake %s + host_deadline", brief(r.ProgressDeadline), brief(sum), brief(r.ZoneBake)),
			longer("rollout.progress_deadline", sum)})
	}
	return list
}

// hostTime is the longest that one host may take when nothing fails.
func (inv *Inventory) hostTime() time.Duration {
	r := inv.Rollout
	return r.DrainTimeout + inv.Reload.Timeout + inv.Reload.Settle + inv.Health.Deadline + r.LBReadyTimeout + max(r.Bake, r.Judge.most())
}

// most is how long the judge may watch a canary.
func (j Judge) most() time.Duration {
	if !j.On {
		return 0
	}
	return j.BakeMax
}

func (r Rollout) longestBake() string {
	if r.Judge.most() > r.Bake {
		return "judge.bake_max " + brief(r.Judge.BakeMax)
	}
	return "bake " + brief(r.Bake)
}

// longer is the next full minute, or second where minutes are far too many.
func longer(key string, d time.Duration) string {
	step := time.Minute
	if d < 10*time.Second {
		step = time.Second
	}
	return fmt.Sprintf("set %s = %q", key, brief(d.Truncate(step)+step))
}

// deadlines adds those that are too short. A sum with a fault in it says nothing.
func (b *builder) deadlines() {
	for _, k := range Keys() {
		if specs[k].kind == duration && b.on(k) {
			return
		}
	}
	if b.on("health.rise") || b.on("reload.method") || b.on("reload.preset") {
		return
	}
	for _, d := range b.inv.late() {
		table, key, _ := strings.Cut(d.key, ".")
		s := b.section(table)
		if !s.has(key) {
			d.text = "the default " + d.text
		}
		s.fault(key, d.text, d.hint)
	}
}
