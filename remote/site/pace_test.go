package site

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A distant host answers when that time has passed.
type distant struct {
	Machine
	trip, lag, first time.Duration
	err              error
}

func (d distant) RoundTrip(ctx context.Context) (time.Duration, error) {
	t := time.NewTimer(d.trip)
	defer t.Stop()
	select {
	case <-t.C:
		return d.trip, d.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (d distant) Lag() time.Duration    { return d.lag }
func (d distant) Answer() time.Duration { return d.first }
func (distant) Sessions() int           { return 0 }

// TestOnlyAHostThatIsNearIsWaitedFor: one that is far, or cannot be asked, gets all that its
// sshd takes, at once.
func TestOnlyAHostThatIsNearIsWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		host  distant
		paced bool
	}{
		{"near", distant{trip: near / 2}, true},
		{"far", distant{trip: 2 * near}, false},
		{"near by what the kernel saw, and busy", distant{trip: soon - 1, lag: near / 2}, true},
		{"far by what the kernel saw", distant{trip: soon - 1, lag: near}, false},
		{"behind a forwarder that is near", distant{trip: soon, lag: near / 2}, false},
		{"cannot be asked", distant{err: errors.New("lost")}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			x := &shipment{Site: &Site{m: c.host}, Cargo: NewCargo(&Artifact{Size: small}, CargoOptions{})}
			var over func()
			x.seen, over = x.look(t.Context())
			defer over()
			time.Sleep(time.Second)
			r, end := x.paced(t.Context(), bytes.NewReader(nil))
			defer end()
			if _, paced := r.(*pacer); paced != c.paced {
				t.Errorf("%s: paced %t", c.name, paced)
			}
		})
	}
}

// TestWhatIsSureNobodyWaitsFor: one that was near as it connected is not asked, and one that is
// far not waited for.
func TestWhatIsSureNobodyWaitsFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		host  distant
		want  sight
		asked int
	}{
		{"near", distant{trip: time.Hour, first: near / 2}, sight{true, near / 2}, 0},
		{"near, and busy", distant{trip: time.Hour, first: soon - 1, lag: near / 2}, sight{true, soon - 1}, 0},
		{"far", distant{trip: farAway, first: farAway + 1}, sight{false, farAway + 1}, 1},
		{"far, behind a forwarder", distant{trip: time.Hour, first: farAway, lag: near / 2}, sight{false, farAway}, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, began := &taker{distant: c.host}, time.Now()
			x := &shipment{Site: &Site{m: h}, Cargo: NewCargo(&Artifact{Size: small}, CargoOptions{})}
			seen, end := x.look(t.Context())
			synctest.Wait()
			if s := seen(); s != c.want || h.questions() != c.asked || time.Since(began) > 0 {
				t.Errorf("%s: %+v, asked %d times, after %s", c.name, s, h.questions(), time.Since(began))
			}
			end()
		})
	}
}

func TestWhoIsFarAwayIsKnownWithoutAsking(t *testing.T) {
	for _, c := range []struct {
		host  distant
		given time.Duration
		want  bool
	}{
		{distant{}, 0, false},
		{distant{first: farAway, lag: near / 2}, 0, false}, // busy perhaps
		{distant{first: surely}, 0, true},
		{distant{first: farAway, lag: farAway}, 0, true},
		{distant{first: surely, lag: farAway}, near, false},
		{distant{first: near}, farAway, true},
	} {
		x := &shipment{Site: &Site{m: c.host}, Cargo: NewCargo(&Artifact{}, CargoOptions{RoundTrip: c.given})}
		if got := x.away(); got != c.want {
			t.Errorf("%+v, given %s: %t", c.host, c.given, got)
		}
	}
}

// A taker takes what is sent at its rate, and answers after what it has taken.
type taker struct {
	distant
	rate  float64 // bytes a second, 0: at once
	mu    sync.Mutex
	came  int
	until time.Time
	asked int
}

func (h *taker) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.came += len(b)
	return len(b), nil
}

func (h *taker) RoundTrip(ctx context.Context) (time.Duration, error) {
	h.mu.Lock()
	h.asked++
	if h.until.Before(time.Now()) {
		h.until = time.Now()
	}
	if h.rate > 0 {
		h.until = h.until.Add(time.Duration(float64(h.came) / h.rate * float64(time.Second)))
	}
	h.came = 0
	wait := time.Until(h.until)
	h.mu.Unlock()
	time.Sleep(wait)
	return h.distant.RoundTrip(ctx)
}

func (h *taker) questions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// TestAPaceIsThatOfTheHost: no more than two batches are ahead of what it has read.
func TestAPaceIsThatOfTheHost(t *testing.T) {
	const size = 500*batch + 1
	for _, c := range []struct {
		name           string
		host           *taker
		least, most    int // questions
		longer, during time.Duration
	}{
		{"busy", &taker{rate: 10e6}, 499, 500, 3 * time.Second, 4 * time.Second},
		{"hangs meanwhile", &taker{distant: distant{trip: time.Hour}}, 1, 1, late, late},
		{"cannot be asked", &taker{distant: distant{err: errors.New("lost")}}, 1, 2, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := c.host
			x := &shipment{Site: &Site{m: h}, Cargo: NewCargo(&Artifact{Size: size}, CargoOptions{}), seen: func() sight { return sight{near: true} }}
			data := bytes.Repeat([]byte("x"), size)
			r, end := x.paced(t.Context(), bytes.NewReader(data))
			began := time.Now()
			got, err := io.ReadAll(io.TeeReader(r, h))
			took := time.Since(began)
			end()
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes: %v", c.name, len(got), err)
			}
			if n := h.questions(); n < c.least || n > c.most || took < c.longer || took > c.during {
				t.Errorf("%s: asked %d times, %s", c.name, n, took)
			}
		})
	}
}

// TestABusyHostIsLookedAtMore: one that is near by what the kernel saw may take its time.
func TestABusyHostIsLookedAtMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &distance{lag: near / 2, trips: []time.Duration{2 * soon, 4 * soon, 2 * soon, soon / 2}}
		x := &shipment{Site: &Site{m: h}, Cargo: NewCargo(&Artifact{Size: small}, CargoOptions{})}
		seen, end := x.look(t.Context())
		defer end()
		if s := seen(); !s.near || s.trip != soon/2 || h.asked != 4 {
			t.Errorf("%+v, asked %d times", s, h.asked)
		}
	})
}

// TestWhatWasSeenMeanwhileIsNotAskedForAgain: the look goes on beside other questions.
func TestWhatWasSeenMeanwhileIsNotAskedForAgain(t *testing.T) {
	for _, trip := range []time.Duration{near / 2, 2 * near, farAway, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			h := &taker{distant: distant{trip: trip}}
			x := &shipment{Site: &Site{m: h}, Cargo: NewCargo(&Artifact{Size: small}, CargoOptions{})}
			var over func()
			x.seen, over = x.look(t.Context())
			defer over()
			time.Sleep(2 * farAway)
			x.seen()
			asked, began := h.questions(), time.Now()
			want, more := trip, 0
			if trip == time.Hour { // it hangs
				want, more = farAway, 1
			}
			if got, _ := x.tripTo(t.Context(), x.still()); got != want || h.questions() != asked+more || time.Since(began) > listens {
				t.Errorf("%s: %s, asked %d times more, in %s", trip, got, h.questions()-asked, time.Since(began))
			}
		})
	}
}
