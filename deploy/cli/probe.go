package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	ucli "github.com/urfave/cli/v2"
)

func probeFlag() ucli.Flag {
	return &ucli.StringFlag{Name: "probe", Usage: "ask `URL` ten times a second while hosts change, and tell how many requests failed", EnvVars: twin("probe")}
}

// How often, how long for an answer, how much of it is read, and how many failures are told.
const (
	probeEvery   = 100 * time.Millisecond
	probeTimeout = 5 * time.Second
	probeMost    = 1 << 20
	probeTold    = 3
	probeKept    = 10
)

// probeURL is where to ask, nil where nobody wants to know.
func probeURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, usage("--probe: %q is no address like https://shop.example/health", text)
	case u.User != nil:
		return nil, usage("--probe: what is in an address is kept in the history: give it without user and password")
	}
	return u, nil
}

// A prober asks steadily, each time on a new connection, as a new client would.
type prober struct {
	target string
	client *http.Client
	emit   func(deploy.Event)

	mu   sync.Mutex
	seen deploy.Probe
	took [probeTimeout/time.Millisecond + 1]int64 // how many took so many ms
}

// probing has requests sent while r runs, where that is wanted; over ends that when r
// never came to its end.
func (s *session) probing(ctx context.Context, r *deploy.Rollout) (over func()) {
	if s.asks == nil {
		return func() {}
	}
	r.Probe = startProbe(ctx, s.asks, s.emit)
	return func() {
		now, cancel := context.WithCancel(ctx)
		cancel()
		r.Probe(now)
	}
}

// startProbe asks u until end, which waits for answers that are still to come, but not
// longer than its context.
func startProbe(ctx context.Context, u *url.URL, emit func(deploy.Event)) (end func(context.Context) *deploy.Probe) {
	p := &prober{target: u.String(), emit: emit, seen: deploy.Probe{URL: withoutQuery(u)}, client: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	ctx = context.WithoutCancel(ctx) // it sees what follows a lost lock, too
	asking, enough := context.WithCancel(ctx)
	waiting, giveUp := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() { defer close(over); p.run(asking, waiting) }()
	return func(ctx context.Context) *deploy.Probe {
		enough()
		stop := context.AfterFunc(ctx, giveUp)
		<-over
		stop()
		giveUp()
		return p.receipt()
	}
}

// withoutQuery: what is asked for may be a secret, and the history is read by others.
func withoutQuery(u *url.URL) string {
	shown := *u
	shown.Fragment = ""
	if shown.RawQuery != "" {
		shown.RawQuery = "…"
	}
	return shown.String()
}

// run returns once asking has ended and no answer is waited for.
func (p *prober) run(asking, waiting context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for asking.Err() == nil {
		all.Go(func() { p.once(waiting) })
		select {
		case <-tick.C:
		case <-asking.Done():
		}
	}
}

// once sends one request and counts it, unless its answer was not waited for.
func (p *prober) once(ctx context.Context) {
	began := time.Now()
	err := p.ask(ctx)
	if ctx.Err() != nil {
		return
	}
	if e := p.count(began, time.Since(began), err); e.Detail != "" {
		p.emit(e)
	}
}

func (p *prober) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, fmt.Errorf("no answer within %s", probeTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "flipdeploy-probe")
	resp, err := p.client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, probeMost))
		_ = resp.Body.Close() // read as far as it matters
		if err == nil && resp.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("answered %d", resp.StatusCode)
		}
	}
	var of *url.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &of):
		return of.Err // without the address and its query
	}
	return err
}

// count enters a request; a failure that is one of the first is to be told.
func (p *prober) count(at time.Time, took time.Duration, err error) (told deploy.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.Requests++
	if err == nil {
		ms := (took + time.Millisecond - 1) / time.Millisecond
		p.took[min(int(ms), len(p.took)-1)]++
		return told
	}
	p.seen.Failed++
	if p.seen.Failed <= probeKept {
		p.seen.Failures = append(p.seen.Failures, at.UTC().Format("15:04:05.000 ")+err.Error())
	}
	if p.seen.Failed > probeTold {
		return told
	}
	text := "probe: " + err.Error()
	if p.seen.Failed == probeTold {
		text += "; more of them are only counted"
	}
	return deploy.Event{Kind: deploy.KindWarning, Code: "FD-PROBE", Detail: text}
}

func (p *prober) receipt() *deploy.Probe {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen, good := p.seen, int64(0)
	for ms, n := range p.took {
		if good += n; good*100 >= (seen.Requests-seen.Failed)*99 {
			seen.P99MS = int64(ms)
			break
		}
	}
	return &seen
}
