package state

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whoever takes a host out between a claim and its drain is not taken for us.
func TestAMarkSaysWhetherTheHostWasTakenOut(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		two := claim(r1, "web1", 1)
		two.Keys = append(two.Keys, Key{"shop", "web1:81"})
		_, err := do(t, s, 7, two, "true")
		ok(t, err)
		claimed(t, s, true)
		leave := Leave{Owned{r1, "web1", two.Keys}}

		_, err = do(t, s, 7, leave, "exit 41") // refused
		equal(t, err != nil, true)
		claimed(t, s, true)

		_, err = do(t, s, 7, Leave{Owned{r1, "web1", two.Keys[:1]}}, "exit 43") // half done, perhaps
		equal(t, err != nil, true)
		equal(t, strings.Contains(mark(t, s, "web1"), "claimed"), false)
		_, err = do(t, s, 7, leave, "exit 41") // who knows does not forget
		equal(t, err != nil, true)
		equal(t, strings.Contains(mark(t, s, "web1"), "claimed"), false)

		out, err := do(t, s, 7, leave, "cat "+filepath.Join(s.dir, "shop/own")+"/* | grep -c claimed; true")
		ok(t, err)
		equal(t, out, "0\n") // before the driver acts
		claimed(t, s, false)

		_, err = do(t, s, 7, leave, "exit 41") // once more: it was out already
		equal(t, err != nil, true)
		claimed(t, s, false)

		_, err = do(t, s, 7, two, "true")
		ok(t, err)
		claimed(t, s, false)
		equal(t, mark(t, s, "web1"), r1+" 7 web1 ready ana@ci")
	})
}

func TestADrainWhoseEndNobodyKnowsIsOurs(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		marked(t, s, r1, 7, "web1")
		s.limits.script = 1
		began := time.Now()
		_, err := do(t, s, 7, Leave{Owned{r1, "web1", key("web1")}}, "sleep 4")
		says(t, err, "edge1: state: act: no end after 1 s, stopped", "FD-STATE-TIMEOUT", hintStatus)
		within(t, "the end", time.Since(began), 3*time.Second)
		claimed(t, s, false)
	})
}

// An older version wrote no such word: what it marked is taken as it took it.
func TestAMarkOfAnOlderVersionIsOneOfAHostThatIsOut(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		write(t, filepath.Join(s.dir, "shop", "own", "shop@web1:80"), r1+" 7 web1 ready ana@ci 2026-11-21T03:07:12Z\n")
		claimed(t, s, false)
		_, err := do(t, s, 7, claim(r1, "web1", 1), "true")
		ok(t, err)
		claimed(t, s, false)
	})
}

func claimed(t *testing.T, s *Store, want bool) {
	t.Helper()
	marks, err := s.Marks(t.Context())
	ok(t, err)
	for _, m := range marks {
		equal(t, m.Claimed, want)
	}
}
