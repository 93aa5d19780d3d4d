package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An app is a dialer whose connections end at a server in memory, so that time is
// virtual. answer gets the number of the question, from 1.
type app struct {
	answer func(n int, path string) string // "" drops the connection, "hang" says nothing
	mu     sync.Mutex
	asked  []time.Duration
	since  time.Time
}

func (a *app) DialContext(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since.IsZero() {
		a.since = time.Now()
	}
	a.asked = append(a.asked, time.Since(a.since))
	go a.serve(theirs, len(a.asked))
	return ours, nil
}

func (a *app) serve(conn net.Conn, n int) {
	defer conn.Close()
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	switch body := a.answer(n, req.URL.Path); {
	case body == "":
	case body == "hang":
		conn.Read(make([]byte, 1))
	case body == "bad":
		fmt.Fprint(conn, "HTTP/1.1 500 Internal Server Error\r\n\r\ndb down")
	default:
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

func (a *app) at(name string) Vantage { return Vantage{Name: name, Dialer: a, Addr: "10.0.0.11:8080"} }

func virtual(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func always(s string) func(int, string) string { return func(int, string) string { return s } }

// in answers the nth question with the nth word, and from then on with the last.
func in(words string) func(int, string) string {
	w := strings.Fields(words)
	return func(n int, _ string) string { return strings.ReplaceAll(w[min(n, len(w))-1], "drop", "") }
}

func TestWaitWantsGoodAnswersInARow(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		answers string
		want    []time.Duration
	}{
		{"ok", []time.Duration{0, 200 * ms, 400 * ms}},
		{"bad ok", []time.Duration{0, 200 * ms, 400 * ms, 600 * ms}},
		{"ok ok bad ok", []time.Duration{0, 200 * ms, 400 * ms, 600 * ms, 800 * ms, 1000 * ms}},
		{"ok drop ok", []time.Duration{0, 200 * ms, 400 * ms, 600 * ms, 800 * ms}},
		{"hang ok", []time.Duration{0, 2000 * ms, 2200 * ms, 2400 * ms}},
	} {
		virtual(t, c.answers, func(t *testing.T) {
			a := &app{answer: in(c.answers)}
			wantError(t, Check{}.Wait(t.Context(), []Vantage{a.at("edge1")}, ""), "<nil>")
			if !slices.Equal(a.asked, c.want) {
				t.Errorf("asked at\n got %v\nwant %v", a.asked, c.want)
			}
		})
	}
}

func TestWaitGivesUpAtItsDeadline(t *testing.T) {
	for _, c := range []struct{ answers, want string }{
		{"bad", `not healthy from edge1 within 30s: /health answered 500 Internal Server Error: "db down" (150 tries, 0 good)`},
		{"drop", "not healthy from edge1 within 30s: connection closed before the end of the answer (150 tries, 0 good)"},
		{"hang", "not healthy from edge1 within 30s: no answer within 2s (15 tries, 0 good)"},
	} {
		virtual(t, c.answers, func(t *testing.T) {
			began := time.Now()
			a := &app{answer: in(c.answers)}
			err := Check{}.Wait(t.Context(), []Vantage{a.at("edge1")}, "")
			if took := time.Since(began); took != 30*time.Second {
				t.Errorf("took %s", took)
			}
			var bad *UnhealthyError
			if !errors.As(err, &bad) || bad.Code() != "FD-UNHEALTHY" || bad.Evidence() != nil {
				t.Fatalf("got %#v", err)
			}
			wantError(t, err, c.want)
			wantError(t, errors.New(bad.Hint()), "read the app's log; ask it from edge1: curl -i 'http://10.0.0.11:8080/health'")
		})
	}
}

func TestWaitNeverTakesAFlappingAppForHealthy(t *testing.T) {
	virtual(t, "two good, one bad", func(t *testing.T) {
		a := &app{answer: func(n int, _ string) string {
			if n%3 == 0 {
				return "bad"
			}
			return "ok"
		}}
		err := Check{Deadline: 10 * time.Second}.Wait(t.Context(), []Vantage{a.at("edge1")}, "")
		wantError(t, err, `not healthy from edge1 within 10s: /health answered 500 Internal Server Error: "db down" (50 tries, 34 good)`)
	})
}

func TestWaitWithADeadlineShorterThanOneQuestion(t *testing.T) {
	virtual(t, "hang", func(t *testing.T) {
		a := &app{answer: always("hang")}
		err := Check{Deadline: time.Second}.Wait(t.Context(), []Vantage{a.at("edge1")}, "")
		wantError(t, err, "not healthy from edge1 within 1s: no answer within 1s (1 try, 0 good)")
	})
}

func TestWaitNeedsEveryVantage(t *testing.T) {
	virtual(t, "one is blind", func(t *testing.T) {
		well, ill := &app{answer: always("ok")}, &app{answer: always("bad")}
		err := Check{}.Wait(t.Context(), []Vantage{well.at("edge1"), ill.at("edge2")}, "")
		wantError(t, err, `not healthy from edge2 within 30s: /health answered 500 Internal Server Error: "db down" (150 tries, 0 good)`)
	})
	virtual(t, "all alike", func(t *testing.T) {
		ill := &app{answer: always("bad")}
		err := Check{Deadline: time.Second}.Wait(t.Context(), []Vantage{ill.at("edge1"), ill.at("edge2")}, "")
		wantError(t, err, `not healthy from edge1 and edge2 within 1s: /health answered 500 Internal Server Error: "db down" (5 tries, 0 good)`)
	})
	virtual(t, "each in its way", func(t *testing.T) {
		mute, ill := &app{answer: always("hang")}, &app{answer: always("bad")}
		err := Check{Deadline: 3 * time.Second}.Wait(t.Context(), []Vantage{mute.at("edge1"), ill.at("edge2")}, "")
		wantError(t, err, "not healthy from edge1 within 3s: no answer within 2s (2 tries, 0 good)")
		var bad *UnhealthyError
		errors.As(err, &bad)
		want := []string{"edge1: no answer within 2s (2 tries, 0 good)", `edge2: /health answered 500 Internal Server Error: "db down" (15 tries, 0 good)`}
		if got := bad.Evidence(); !slices.Equal(got, want) {
			t.Errorf("evidence\n got %q\nwant %q", got, want)
		}
	})
	wantError(t, Check{}.Wait(t.Context(), nil, ""), "health: nobody to ask from")
}

func TestWaitReturnsAtOnceWhereAskingIsForbidden(t *testing.T) {
	virtual(t, "edge2 forbids", func(t *testing.T) {
		began := time.Now()
		a := &app{answer: always("bad")}
		err := Check{}.Wait(t.Context(), []Vantage{a.at("edge1"), {Name: "edge2", Dialer: failing(`ssh: rejected: administratively prohibited ("open failed")`)}}, "")
		if took := time.Since(began); took != 0 || !Forbidden(err) {
			t.Errorf("took %s: %v", took, err)
		}
		wantError(t, err, `from edge2: connections may not be made through it: ssh: rejected: administratively prohibited ("open failed")`)
		var says interface {
			Code() string
			Hint() string
		}
		errors.As(err, &says)
		wantError(t, errors.New(says.Code()+" "+says.Hint()), `FD-HEALTH-VIA allow it in sshd_config on edge2 (AllowTcpForwarding local), or set health.via = "host"`)
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	virtual(t, "lease lost", func(t *testing.T) {
		lost := errors.New("the lease was lost")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(500*time.Millisecond, func() { cancel(lost) })
		a := &app{answer: always("bad")}
		err := Check{}.Wait(ctx, []Vantage{a.at("edge1")}, "")
		if !errors.Is(err, lost) {
			t.Errorf("does not wrap the cause: %v", err)
		}
		wantError(t, err, `asking for health from edge1: the lease was lost; so far /health answered 500 Internal Server Error: "db down" (3 tries, 0 good)`)
	})
}

func TestCommandsForAPerson(t *testing.T) {
	for want, c := range map[string]Check{
		"curl -i 'http://10.0.0.1:80/health'":                                {},
		"curl -i --connect-to '::10.0.0.1:80' 'https://shop.example/health'": {Scheme: "https", Host: "shop.example"},
		"nc -vz 10.0.0.1 80": {Kind: TCP},
	} {
		if got := c.filled().command("10.0.0.1:80", "/health"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
