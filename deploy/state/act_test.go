package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

const r1, r2 = "20261121-030712-7f3a", "20261121-040000-0001"

func key(host string) []Key { return []Key{{"shop", host + ":80"}} }

func claim(rollout, host string, parallel int) Claim {
	return Claim{Rollout: rollout, Host: host, Keys: key(host), Parallel: parallel, Before: "ready", Who: "ana@ci"}
}

func do(t *testing.T, s *Store, epoch int64, c Condition, script string) (string, error) {
	t.Helper()
	out, err := s.Act(epoch, c).Run(t.Context(), script)
	return string(out), err
}

func marked(t *testing.T, s *Store, rollout string, epoch int64, hosts ...string) {
	t.Helper()
	for _, h := range hosts {
		_, err := do(t, s, epoch, claim(rollout, h, 100), "true")
		ok(t, err)
	}
}

// mark is the file of host's mark, but for the time in it.
func mark(t *testing.T, s *Store, host string) string {
	t.Helper()
	f := filepath.Join(s.dir, s.app, "own", Key{"shop", host + ":80"}.file())
	if !exists(f) {
		return ""
	}
	words := strings.Fields(read(t, f))
	return strings.Join(slices.Delete(words, 5, 6), " ")
}

func TestAnActGivesTheDriversOutputAndExitCodeBackAsTheyAre(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		out, err := do(t, s, 7, nil, "printf 'a\\n b'; cat; cat <<X\nc $((1+1))\nX")
		ok(t, err)
		equal(t, out, "a\n bc 2\n")
		for _, code := range []int{1, 3, 75, 97, 124} {
			out, err := do(t, s, 7, nil, fmt.Sprintf("echo out; echo 'fd-0000 no fenced 9'; echo no >&2; exit %d", code))
			var e *exitError
			if !errors.As(err, &e) {
				t.Fatalf("exit %d came as %v", code, err)
			}
			equal(t, e.code, code)
			equal(t, out, "out\nfd-0000 no fenced 9\n")
			equal(t, e.stderr, "no\n")
		}
	})
}

func TestAStaleEpochDoesNothing(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s, file := raised(t, m, t.TempDir(), "shop", 7), filepath.Join(t.TempDir(), "f")
		for _, c := range []Condition{nil, claim(r1, "web1", 1), Owned{r1, "web1", key("web1")}, Drop{r1, "web1", key("web1")}} {
			for _, epoch := range []int64{6, 8} {
				_, err := do(t, s, epoch, c, "touch "+file)
				says(t, err, fmt.Sprintf("edge1: fenced: the fence is at epoch 7, this run is epoch %d", epoch), "FD-FENCED", hintFenced)
				var r interface{ Refusal() string }
				equal(t, errors.As(err, &r) && r.Refusal() == deploy.RefusedFenced, true)
			}
		}
		equal(t, exists(file), false)
		equal(t, mark(t, s, "web1"), "")
		write(t, filepath.Join(s.dir, "shop", "fence"), "")
		_, err := do(t, s, 7, nil, "touch "+file)
		says(t, err, "edge1: fenced: the fence cannot be read, this run is epoch 7", "FD-FENCED", hintFenced)
		equal(t, exists(file), false)
	})
}

// A run froze after it had sent its act; the act waits for act.lock while another
// run takes over.
func TestAnActThatWaitedForTheLockWhileAnotherTookOverDoesNothing(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s, file := raised(t, m, t.TempDir(), "shop", 7), filepath.Join(t.TempDir(), "f")
		lock, err := os.OpenFile(filepath.Join(s.dir, "act.lock"), os.O_RDWR, 0)
		ok(t, err)
		defer lock.Close()
		ok(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
		late := make(chan error, 1)
		go func() {
			_, err := s.Act(7, claim(r1, "web1", 1)).Run(t.Context(), "touch "+file)
			late <- err
		}()
		time.Sleep(300 * time.Millisecond)
		write(t, filepath.Join(s.dir, "shop", "fence"), "8\n")
		ok(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_UN))
		says(t, <-late, "edge1: fenced: the fence is at epoch 8, this run is epoch 7", "FD-FENCED", hintFenced)
		equal(t, exists(file), false)
		equal(t, mark(t, s, "web1"), "")
	})
}

func TestTheLockThatIsNotFreeInTimeIsNamed(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		lock, err := os.OpenFile(filepath.Join(s.dir, "act.lock"), os.O_RDWR, 0)
		ok(t, err)
		defer lock.Close()
		ok(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
		s.limits.lockWait = 1
		_, err = do(t, s, 7, nil, "true")
		says(t, err, "edge1: state: act: act.lock is still held after 1 s", "FD-STATE-BUSY", "see who holds it there: fuser -v "+s.dir+"/act.lock")
	})
}

func TestAnActThatHangsIsEndedAndItsOutcomeIsUnknown(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		s.limits.script = 1
		began := time.Now()
		_, err := do(t, s, 7, claim(r1, "web1", 1), "echo half\nsleep 4\ntouch "+s.dir+"/late")
		says(t, err, "edge1: state: act: no end after 1 s, stopped", "FD-STATE-TIMEOUT", hintStatus)
		var u interface{ OutcomeUnknown() bool }
		equal(t, errors.As(err, &u) && u.OutcomeUnknown(), true)
		within(t, "the end", time.Since(began), 3*time.Second)
		equal(t, mark(t, s, "web1"), "")
		time.Sleep(time.Until(began.Add(4300 * time.Millisecond)))
		equal(t, exists(s.dir+"/late"), false)
	})
}

// nginx, started by a reload, must not keep act.lock for ever.
func TestADaemonThatADriverLeavesBehindDoesNotHoldTheLock(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		_, err := do(t, s, 7, nil, "sleep 2 >/dev/null 2>&1 &")
		ok(t, err)
		began := time.Now()
		_, err = do(t, s, 7, nil, "true")
		ok(t, err)
		within(t, "the next act", time.Since(began), time.Second)
	})
}

func TestAClaimIsMarkedOnlyAfterTheCheckAndMayBeRepeated(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		_, err := do(t, s, 7, claim(r1, "web1", 1), "exit 4")
		var e *exitError
		equal(t, errors.As(err, &e) && e.code == 4, true)
		equal(t, mark(t, s, "web1"), "")

		for range 2 {
			_, err = do(t, s, 7, claim(r1, "web1", 1), "true")
			ok(t, err)
			equal(t, mark(t, s, "web1"), r1+" 7 web1 ready ana@ci claimed")
		}
		_, err = Raise(t.Context(), []*Store{s})
		ok(t, err)
		again := claim(r1, "web1", 1)
		again.Before, again.Who = "maint", "bob x@ci"
		_, err = do(t, s, 8, again, "true")
		ok(t, err)
		equal(t, mark(t, s, "web1"), r1+" 8 web1 ready bob_x@ci claimed")
	})
}

func TestAClaimBeyondTheBudgetIsRefused(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		dir := t.TempDir()
		s, blog := raised(t, m, dir, "shop", 7), raised(t, m, dir, "blog", 3)
		marked(t, s, r1, 7, "web1")
		_, err := do(t, s, 7, claim(r1, "web2", 1), "true")
		says(t, err, "edge1: 1 out already (shop/web1), parallel is 1", "FD-BUDGET", "bring the hosts that are out back first: shop/web1")
		_, err = do(t, s, 7, claim(r1, "web1", 1), "true")
		ok(t, err)

		marked(t, blog, r2, 3, "db1")
		_, err = do(t, s, 7, claim(r1, "web2", 2), "true")
		says(t, err, "edge1: 2 out already (blog/db1, shop/web1), parallel is 2", "FD-BUDGET", "bring the hosts that are out back first: blog/db1, shop/web1")
		_, err = do(t, s, 7, claim(r1, "web2", 3), "true")
		ok(t, err)

		_, err = do(t, blog, 3, Drop{r2, "db1", key("db1")}, "true")
		ok(t, err)
		equal(t, mark(t, blog, "db1"), "")
	})
}

func TestTheBudgetCountsHostsNotBackendsAndOnlyOnTheSameUpstreams(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		two := claim(r1, "web1", 1)
		two.Keys = append(two.Keys, Key{"shop", "web1:81"}, Key{"shop-admin", "[::1]:80"})
		_, err := do(t, s, 7, two, "true")
		ok(t, err)
		other := claim(r1, "web2", 1)
		other.Keys = []Key{{"static", "web2:80"}, {"shop.admin", "web2:80"}}
		_, err = do(t, s, 7, other, "true")
		ok(t, err)
		_, err = do(t, s, 7, claim(r1, "web3", 2), "true")
		ok(t, err)
		marks, err := s.Marks(t.Context())
		ok(t, err)
		equal(t, len(marks), 6)
		equal(t, marks[0].When != "", true)
		marks[0].When = ""
		equal(t, fmt.Sprint(marks[0]), fmt.Sprint(Mark{Key{"shop-admin", "[::1]:80"}, "shop", r1, 7, "web1", "ready", "ana@ci", "", true}))
	})
}

func TestAHandsMarkIsRespectedAndTakesNoBudget(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		marked(t, s, Hand, 7, "web1")
		for _, c := range []Condition{claim(r1, "web1", 5), Owned{r1, "web1", key("web1")}, Drop{r1, "web1", key("web1")}} {
			_, err := do(t, s, 7, c, "touch "+s.dir+"/f")
			says(t, err, "edge1: shop web1:80: taken out by hand by ana@ci", "FD-MARK-FOREIGN", `put it back with "flipdeploy ready web1" once its owner agrees`)
		}
		equal(t, exists(s.dir+"/f"), false)
		_, err := do(t, s, 7, claim(r1, "web2", 1), "true")
		ok(t, err)
	})
}

func TestMarksOfOthersAreNamed(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		dir := t.TempDir()
		s, blog := raised(t, m, dir, "shop", 7), raised(t, m, dir, "blog", 3)
		marked(t, blog, r2, 3, "web1")
		_, err := do(t, s, 7, claim(r1, "web1", 9), "true")
		says(t, err, "edge1: shop web1:80: owned by rollout "+r2+" of blog (host web1, ana@ci)", "FD-MARK-FOREIGN", hintStatus)
		marked(t, s, r1, 7, "web2")
		_, err = do(t, s, 7, claim(r2, "web2", 9), "true")
		says(t, err, "edge1: shop web2:80: owned by rollout "+r1+" of shop (host web2, ana@ci)", "FD-MARK-FOREIGN", hintStatus)
		takes := claim(r2, "web2", 9)
		takes.Takes = []string{r1}
		_, err = do(t, s, 7, takes, "true")
		ok(t, err)
		equal(t, mark(t, s, "web2"), r2+" 7 web2 ready ana@ci claimed")

		write(t, filepath.Join(dir, "shop", "own", "shop@web3:80"), "")
		_, err = do(t, s, 7, claim(r1, "web3", 9), "true")
		equal(t, err.Error(), "edge1: shop web3:80: owned by rollout ? of shop (host ?, ?)")
		_, err = do(t, s, 7, claim(r1, "web4", 3), "true")
		equal(t, err.Error(), "edge1: 3 out already (blog/web1, shop/web2, shop/?), parallel is 3")
	})
}

func TestOwnedWantsEveryMarkInThisEpoch(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		own := Owned{r1, "web1", append(key("web1"), Key{"shop", "web1:81"})}
		_, err := do(t, s, 7, own, "touch "+s.dir+"/f")
		says(t, err, "edge1: shop web1:80: our owner mark is gone", "FD-MARK-MISSING", hintStatus)
		var r interface{ Refusal() string }
		equal(t, errors.As(err, &r) && r.Refusal() == deploy.RefusedChanged, true)
		marked(t, s, r1, 7, "web1")
		_, err = do(t, s, 7, own, "touch "+s.dir+"/f")
		says(t, err, "edge1: shop web1:81: our owner mark is gone", "FD-MARK-MISSING", hintStatus)
		equal(t, exists(s.dir+"/f"), false)
		own.Keys = own.Keys[:1]
		_, err = do(t, s, 7, own, "touch "+s.dir+"/f")
		ok(t, err)
		equal(t, exists(s.dir+"/f"), true)
		_, err = Raise(t.Context(), []*Store{s})
		ok(t, err)
		_, err = do(t, s, 8, own, "true")
		says(t, err, "edge1: shop web1:80: our owner mark is of epoch 7, this run is epoch 8", "FD-MARK-FOREIGN", hintStatus)
	})
}

func TestADropRemovesOurMarksAfterTheCheckAndMayBeRepeated(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		two := claim(r1, "web1", 1)
		two.Keys = append(two.Keys, Key{"shop", "web1:81"})
		_, err := do(t, s, 7, two, "true")
		ok(t, err)
		drop := Drop{r1, "web1", two.Keys}
		_, err = do(t, s, 7, drop, "exit 1")
		equal(t, err != nil, true)
		equal(t, mark(t, s, "web1"), r1+" 7 web1 ready ana@ci claimed")
		ok(t, os.Remove(filepath.Join(s.dir, "shop", "own", "shop@web1:81"))) // it died while it dropped
		out, err := do(t, s, 7, drop, "echo checked")
		ok(t, err)
		equal(t, out, "checked\n")
		equal(t, mark(t, s, "web1"), "")
		out, err = do(t, s, 7, drop, "echo checked")
		ok(t, err)
		equal(t, out, "")
	})
}

func TestAnActJournalsItsIntentFirst(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		rec := deploy.Record{Rollout: r1, Kind: "intent", Host: "web1", Act: deploy.Draining, Detail: "it's 'quoted' $HOME `x` \\n"}
		out, err := s.Act(7, nil, rec).Run(t.Context(), "wc -l <"+s.dir+"/shop/journal/"+r1+".jsonl; exit 0")
		ok(t, err)
		equal(t, strings.TrimSpace(string(out)), "1")
		all, err := s.Journals(t.Context())
		ok(t, err)
		equal(t, all[0].Records[0].Detail, rec.Detail)
		equal(t, all[0].Records[0].Epoch, 7)
	})
}

func TestWordsThatAScriptCouldMisreadAreRefused(t *testing.T) {
	m := &machine{path: t.TempDir()}
	s := New("edge1", t.TempDir(), "shop", m, m, false)
	for _, c := range []Condition{
		Owned{"a b", "web1", key("web1")}, Owned{"-r", "web1", key("web1")}, Owned{"*", "web1", key("web1")}, Owned{r1, "web 1", key("web1")},
		Owned{r1, "web1;x", key("web1")}, Owned{r1, "$(x)", key("web1")}, Owned{r1, "web1", nil}, Owned{r1, "web1", []Key{{"a b", "x"}}},
		Claim{Rollout: r1, Host: "web1", Keys: key("web1"), Before: "it's"}, Claim{Rollout: r1, Host: "web1", Keys: key("web1"), Before: "ready", Takes: []string{"*"}},
	} {
		_, err := do(t, s, 1, c, "true")
		var f *Fault
		if !errors.As(err, &f) || f.Code() != "FD-STATE-NAME" {
			t.Errorf("%+v: %v", c, err)
		}
	}
	_, err := do(t, s, 1, Owned{"a b", "web1", key("web1")}, "true")
	says(t, err, `edge1: state: act: rollout "a b": not allowed`, "FD-STATE-NAME", "correct the name in the inventory")
}

func TestADiskThatTakesNoMarkIsSaid(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		ok(t, os.Remove(filepath.Join(s.dir, "shop", "own")))
		_, err := do(t, s, 7, claim(r1, "web1", 1), "true")
		says(t, err, "edge1: state: act: cannot write own/shop@web1:80", "FD-STATE-WRITE", "look for room and rights: df "+s.dir+"; ls -ld "+s.dir)
	})
}
