package deploy

import "context"

// before is nil where the host may go its way, else its ending: as it is. A run that
// stops meanwhile is no fault of who was asked.
func (x *run) before(l *life) *ending {
	host := l.host.Name()
	x.mu.Lock()
	again := x.asked[host] || l.held || x.Before == nil
	x.asked[host] = true
	x.mu.Unlock()
	if again {
		return nil
	}
	ctx, cancel := context.WithCancel(x.ctx)
	defer cancel()
	defer context.AfterFunc(x.stop, cancel)()
	err := x.Before(ctx, host)
	switch {
	case ctx.Err() != nil, err == nil && x.leaving():
		return &ending{phase: x.phaseOf(host)}
	case err != nil:
		return &ending{phase: x.phaseOf(host), pause: true, err: fault(host, "", err)}
	}
	return nil
}
