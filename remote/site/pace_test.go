package site

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A distant host answers when that time has passed.
type distant struct {
	Machine
	trip time.Duration
	err  error
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

func (distant) Sessions() int { return 0 }

// TestOnlyAHostThatIsNearIsWaitedFor: one that is far, or does not answer in time, gets all
// that its sshd takes, at once.
func TestOnlyAHostThatIsNearIsWaitedFor(t *testing.T) {
	const size = 20*batch + 1
	for _, c := range []struct {
		name  string
		m     distant
		until distant // from when it sends on
		want  time.Duration
	}{
		{"near", distant{trip: near / 2}, distant{trip: near / 2}, 19 * (near / 2)},
		{"far", distant{trip: 2 * near}, distant{trip: 2 * near}, 0},
		{"cannot be asked", distant{err: errors.New("lost")}, distant{}, 0},
		{"hangs meanwhile", distant{trip: near / 2}, distant{trip: time.Hour}, late},
	} {
		synctest.Test(t, func(t *testing.T) {
			x := &shipment{Site: &Site{m: c.m}, Cargo: NewCargo(&Artifact{Size: size}, CargoOptions{})}
			x.near = x.look(t.Context())
			time.Sleep(20 * near)
			x.near()
			x.m = c.until
			data := bytes.Repeat([]byte("x"), size)
			r, end := x.paced(t.Context(), bytes.NewReader(data))
			began := time.Now()
			got, err := io.ReadAll(r)
			took := time.Since(began)
			end()
			if err != nil || !bytes.Equal(got, data) || took != c.want {
				t.Errorf("%s: %d bytes in %s, want %s: %v", c.name, len(got), took, c.want, err)
			}
		})
	}
}
