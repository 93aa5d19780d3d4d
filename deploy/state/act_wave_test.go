package state

import (
	"errors"
	"testing"
)

func TestHostsThatReturnByTheSameChangeLeaveRoom(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		marked(t, s, r1, 7, "web1", "web2")
		var full *BudgetError
		if _, err := do(t, s, 7, claim(r1, "web3", 2), "true"); !errors.As(err, &full) {
			t.Errorf("a third host of two: %v", err)
		}
		c := claim(r1, "web3", 2)
		c.Beside = []string{"web1", "web2"}
		_, err := do(t, s, 7, c, "true")
		ok(t, err)
		c = claim(r1, "web4", 1)
		c.Beside = []string{"web1", "web2"}
		if _, err := do(t, s, 7, c, "true"); !errors.As(err, &full) {
			t.Errorf("web3 does not return, and leaves no room: %v", err)
		}
	})
}

func TestAWaveIsOwnedWhollyOrNothingIsDone(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		marked(t, s, r1, 7, "web1", "web2")
		wave := OwnedAll{r1, map[string][]Key{"web1": key("web1"), "web2": key("web2")}}
		out, err := do(t, s, 7, wave, "echo done")
		ok(t, err)
		equal(t, out, "done\n")
		wave.Hosts["web3"] = key("web3")
		var missing *MarkError
		if out, err := do(t, s, 7, wave, "echo done"); !errors.As(err, &missing) || out != "" {
			t.Errorf("without web3's mark: %q, %v", out, err)
		}
		wave = OwnedAll{r1, map[string][]Key{"web1": key("web2")}}
		if _, err := do(t, s, 7, wave, "true"); !errors.As(err, &missing) {
			t.Errorf("web2's mark does for web1: %v", err)
		}
	})
}
