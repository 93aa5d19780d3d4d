package health

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// release answers /health well, and /version with the nth of words.
func release(words string) *app {
	n, nth := 0, in(words)
	return &app{answer: func(_ int, path string) string {
		if path != "/version" {
			return "ok"
		}
		n++
		return nth(n, path)
	}}
}

func TestWaitForARevision(t *testing.T) {
	for _, c := range []struct{ name, answers, want string }{
		{"new", "v2", "<nil>"},
		{"old for a while", "v1 v1 v1 v1 v1 v1 v1 v2", "<nil>"},
		{"gone for a while", "bad drop v2", "<nil>"},
		{"one stray", "v2 v1 v2", "<nil>"},
		{"two strays", "v2 v2 v2 v2 v1 v2 v2 v2 v2 v1 v2", "<nil>"},
		{"three strays", "v2 v1 v2 v1 v2 v1 v2", `not only v2 from edge1: 3 other answers after the first of it, the last: /version answered 200 OK: "v1"`},
		{"a dropped connection is a stray", "v2 drop v2 drop v2 drop", "not only v2 from edge1: 3 other answers after the first of it, the last: connection closed before the end of the answer"},
		{"old", "v1", `not v2 from edge1 within 10s: /version answered 200 OK: "v1" (48 tries)`},
		{"longer word", "v2.1", `not v2 from edge1 within 10s: /version answered 200 OK: "v2.1" (48 tries)`},
		{"failing", "bad", `not v2 from edge1 within 10s: /version answered 500 Internal Server Error: "db down" (48 tries)`},
	} {
		virtual(t, c.name, func(t *testing.T) {
			check := Check{VersionPath: "/version", Deadline: 10 * time.Second}
			err := check.Wait(t.Context(), []Vantage{release(c.answers).at("edge1")}, "v2")
			wantError(t, err, c.want)
			var wrong *VersionError
			if err != nil && (!errors.As(err, &wrong) || wrong.Code() != "FD-VERSION") {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestWaitAsksForTheRevisionFiveTimesAtOnce(t *testing.T) {
	virtual(t, "new", func(t *testing.T) {
		a := release("v2")
		wantError(t, Check{VersionPath: "/version"}.Wait(t.Context(), []Vantage{a.at("edge1")}, "v2"), "<nil>")
		if last := a.asked[len(a.asked)-1]; len(a.asked) != 3+5 || last != 400*time.Millisecond {
			t.Errorf("asked at %v", a.asked)
		}
	})
	virtual(t, "no revision wanted", func(t *testing.T) {
		a := release("v1")
		wantError(t, Check{VersionPath: "/version"}.Wait(t.Context(), []Vantage{a.at("edge1")}, ""), "<nil>")
	})
}

func TestWaitForARevisionEndsWithItsContext(t *testing.T) {
	virtual(t, "canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(700*time.Millisecond, cancel)
		err := Check{VersionPath: "/version"}.Wait(ctx, []Vantage{release("v1").at("edge1")}, "v2")
		wantError(t, err, `asking for health from edge1: context canceled; so far /version answered 200 OK: "v1" (3 tries, 3 good)`)
	})
}

func TestWaitNamesTheFirstOfTheVantagesThatSawAnotherRevision(t *testing.T) {
	virtual(t, "both old", func(t *testing.T) {
		a, b := release("v1"), release("v1")
		err := Check{VersionPath: "/version", Deadline: time.Second}.Wait(t.Context(), []Vantage{a.at("edge1"), b.at("edge2")}, "v2")
		wantError(t, err, `not v2 from edge1 within 1s: /version answered 200 OK: "v1" (3 tries)`)
		var wrong *VersionError
		errors.As(err, &wrong)
		wantError(t, errors.New(wrong.Hint()), "the old process may still answer, or the app reports another revision; ask it from edge1: curl -i 'http://10.0.0.11:8080/version'")
	})
}

func TestRevisionIsAWholeWord(t *testing.T) {
	for _, text := range []string{"v2", "v2\n", `{"version":"v2"}`, "running v2.", "(v2)", "v2.1 then v2", "shop/v2", "-v2-"} {
		if !holdsWord(text, "v2") {
			t.Errorf("%q holds v2", text)
		}
	}
	for _, text := range []string{"", "v", "v21", "v2.1", "v2-dirty", "v2+meta", "rev2", "1.v2", "v2_", "v2é", "v2-.1"} {
		if holdsWord(text, "v2") {
			t.Errorf("%q does not hold v2", text)
		}
	}
}

func TestARevisionIsFoundInAnyFrameAndNotInALongerOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._+-]{0,20}`).Draw(t, "word")
		left := rapid.SampledFrom([]string{"", " ", "\n", `"`, "x ", "/"}).Draw(t, "left")
		right := rapid.SampledFrom([]string{"", " ", ".", `"`, ". x", "\r\n"}).Draw(t, "right")
		if !holdsWord(left+word+right, word) {
			t.Fatalf("%q is not found in %q", word, left+word+right)
		}
		if longer := word + rapid.StringMatching(`[._+-]?[a-z0-9]`).Draw(t, "more"); holdsWord(longer, word) && longer[1:] != word {
			t.Fatalf("%q is found in %q", word, longer)
		}
	})
}
