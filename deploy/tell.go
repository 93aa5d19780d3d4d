package deploy

import (
	"errors"
	"time"
)

func (x *run) emit(e Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e.Rollout, e.Time = x.Plan.Rollout, time.Now()
	x.Emit(e)
}

func (x *run) emitPhase(host string, p Phase) {
	if x.phaseOf(host) != p {
		x.emit(Event{Kind: KindHost, Host: host, Phase: p})
	}
}

func (x *run) warn(host, lb, code, text string) {
	x.emit(Event{Kind: KindWarning, Host: host, LB: lb, Code: code, Detail: text})
}

// fail tells of a host's failure, with all evidence, at once.
func (x *run) fail(host string, err error) {
	if err == nil {
		return
	}
	e := Event{Kind: KindError, Host: host, Code: CodeOf(err), Hint: HintOf(err), Detail: err.Error()}
	var ev interface{ Evidence() []string }
	if errors.As(err, &ev) {
		e.Evidence = ev.Evidence()
	}
	x.emit(e)
}
