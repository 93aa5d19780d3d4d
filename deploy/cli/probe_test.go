package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// probed asks a server for a while, and returns the receipt and what was told meanwhile.
func probed(t *testing.T, long time.Duration, answer http.HandlerFunc) (*deploy.Probe, []deploy.Event) {
	t.Helper()
	s := httptest.NewServer(answer)
	defer s.Close()
	u, err := url.Parse(s.URL + "/shop?token=secret")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []deploy.Event
	end := startProbe(t.Context(), u, func(e deploy.Event) { mu.Lock(); defer mu.Unlock(); told = append(told, e) })
	time.Sleep(long)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	p := end(ctx)
	mu.Lock()
	defer mu.Unlock()
	if p.URL != s.URL+"/shop?…" {
		t.Errorf("the receipt names %s", p.URL)
	}
	return p, told
}

func TestAProbeAsksSteadilyAndFollowsNothing(t *testing.T) {
	t.Parallel()
	var followed, conns atomic.Int64
	p, told := probed(t, 1050*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/shop" {
			followed.Add(1)
		}
		conns.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	if p.Failed != 0 || p.Requests < 5 || p.Requests > 12 || followed.Load() != 0 || p.Requests != conns.Load() || len(told) != 0 {
		t.Errorf("%v, %d followed, %d came, told %v", p, followed.Load(), conns.Load(), told)
	}
}

func TestAProbeTellsTheFirstFailuresAndCountsAll(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	p, told := probed(t, 1550*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 1:
		case 2:
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half")) // and it breaks off
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if p.Failed != p.Requests-1 || p.Requests < 6 || len(p.Failures) != int(min(p.Failed, probeKept)) || !strings.HasSuffix(p.Failures[0], " unexpected EOF") || !strings.HasSuffix(p.Failures[1], " answered 503") {
		t.Errorf("%+v", p)
	}
	var said []string
	for _, e := range told {
		said = append(said, string(e.Kind)+" "+e.Code+" "+e.Detail)
	}
	want := "warning FD-PROBE probe: unexpected EOF\nwarning FD-PROBE probe: answered 503\nwarning FD-PROBE probe: answered 503; more of them are only counted"
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
}

// A run that is told to end does not wait for an answer.
func TestAProbeEndsWithTheRun(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	u, _ := url.Parse(s.URL)
	end := startProbe(t.Context(), u, func(e deploy.Event) { t.Errorf("told %v", e) })
	time.Sleep(250 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if p := end(ctx); p.Requests != 0 || time.Since(began) > 2*time.Second {
		t.Errorf("%+v after %s", p, time.Since(began))
	}
	if p := end(ctx); p.Requests != 0 { // asked for once more
		t.Errorf("%+v", p)
	}
}

func TestTheSlowestOfAHundred(t *testing.T) {
	p := &prober{}
	for i := range 200 {
		p.count(time.Time{}, time.Duration(i+1)*time.Millisecond-time.Microsecond, nil)
	}
	p.count(time.Time{}, time.Hour, nil)
	p.count(time.Time{}, 0, context.DeadlineExceeded)
	if r := p.receipt(); r.P99MS != 199 || r.String() != "1 failed of 202 · p99 199 ms" {
		t.Errorf("%v", r)
	}
	if got := (deploy.Probe{Requests: 1842, P99MS: 3}).String(); got != "0 failed of 1,842 · p99 3 ms" {
		t.Error(got)
	}
	if got := (deploy.Probe{Requests: 1234567, Failed: 1234567}).String(); got != "1,234,567 failed of 1,234,567" {
		t.Error(got)
	}
}

func TestWhatCannotBeProbedIsAUsageError(t *testing.T) {
	for text, want := range map[string]string{
		"shop.example/health":  `--probe: "shop.example/health" is no address like https://shop.example/health`,
		"ftp://shop.example":   `--probe: "ftp://shop.example" is no address like https://shop.example/health`,
		"http://":              `--probe: "http://" is no address like https://shop.example/health`,
		"https://me:pw@shop/x": "--probe: what is in an address is kept in the history: give it without user and password",
	} {
		if _, err := probeURL(text); err == nil || err.Error() != want || deploy.CodeOf(err) != "FD-USAGE" {
			t.Errorf("%s: %v", text, err)
		}
	}
	if u, err := probeURL(""); u != nil || err != nil {
		t.Error(u, err)
	}
}
