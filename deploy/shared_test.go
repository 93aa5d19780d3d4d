package deploy

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Who comes while a question is under way may not have its answer, which may be older
// than what the asker just did: all of them share the next one.
func TestASharedQuestionIsAskedAfterWeCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Shared[time.Time]
		var wg sync.WaitGroup
		asked := 0
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 15 * time.Millisecond)
				came := time.Now()
				at, err := s.Get(t.Context(), func(context.Context) (time.Time, error) {
					asked++
					at := time.Now()
					time.Sleep(time.Second)
					return at, nil
				})
				if at.Before(came) || err != nil {
					t.Errorf("came at %s: the answer of a question of %s, %v", came, at, err)
				}
			})
		}
		wg.Wait()
		if asked != 3 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestASharedQuestionThatWasCutOffIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Shared[string]
		ask := func(ctx context.Context) (string, error) {
			if !tick(ctx, time.Second) {
				return "", ctx.Err()
			}
			return "all", nil
		}
		short, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		go func() { _, _ = s.Get(t.Context(), ask) }()
		time.Sleep(time.Millisecond)
		go func() { _, _ = s.Get(short, ask) }() // asks at 1 s, is cut off at 1.5 s
		time.Sleep(time.Second - time.Microsecond)
		if got, err := s.Get(t.Context(), ask); got != "all" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}
