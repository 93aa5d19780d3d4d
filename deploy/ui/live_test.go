package ui

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// A terminal is what a person sees of bytes: lines, and where the next byte goes.
type terminal struct {
	lockedBuffer
	width int
}

func (term *terminal) lines(t *testing.T) []string {
	t.Helper()
	g := &glass{width: term.width}
	if err := g.show(term.String()); err != nil {
		t.Fatal(err)
	}
	return g.rows()
}

func (term *terminal) want(t *testing.T, when, want string) {
	t.Helper()
	synctest.Wait()
	wantText(t, when, strings.Join(term.lines(t), "\n"), want)
}

func live(width int) (*UI, *terminal, *bytes.Buffer) {
	term, out := &terminal{width: width}, &bytes.Buffer{}
	u := New(Options{Out: out, Err: term, Live: true, Width: func() int { return width }})
	u.Fleet("shop", "web1", "web2", "edge1")
	return u, term, out
}

func TestLiveShowsOneBarBelowTheStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, term, out := live(100)
		u.Event(deploy.Event{Kind: deploy.KindPlan, Detail: "v1 → v2"})
		term.want(t, "at first", "fleet  plan       v1 → v2\n")
		u.Event(deploy.Event{Kind: deploy.KindHost, Phase: deploy.Staging, Total: 40e6})
		time.Sleep(1050 * time.Millisecond) // between two frames
		for range 10 {
			u.Event(deploy.Event{Kind: deploy.KindHost, Host: "web1", Phase: deploy.Staging, Bytes: 1e6})
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(10 * time.Millisecond)
		term.want(t, "staging", `
fleet  plan       v1 → v2
staging  25% [======>                       ] (10/40 MB, 5.0 MB/s)  6s left`)
		u.Event(host(0, "web1", deploy.Staged, "v2, 10.0 MB", 1400))
		term.want(t, "a line more", `
fleet  plan       v1 → v2
web1   staged     v2, 10.0 MB  1.4s
staging  25% [======>                       ] (10/40 MB, 5.0 MB/s)  6s left`)
		u.Event(host(0, "web2", deploy.Done, "", 0))
		u.Event(host(0, "web1", deploy.Draining, "", 0))
		u.Event(deploy.Event{Kind: deploy.KindLB, Host: "web1", LB: "edge1", Detail: "12 sessions"})
		time.Sleep(200 * time.Millisecond)
		term.want(t, "flipping", `
fleet  plan       v1 → v2
web1   staged     v2, 10.0 MB  1.4s
web2   done
flipping  50% [==============>               ] (1/2)  web1 draining (edge1: 12 sessions)`)
		u.Event(host(0, "web1", deploy.Done, "", 0))
		time.Sleep(200 * time.Millisecond)
		u.Result(deploy.Result{Outcome: deploy.OutcomeDone, Revision: "v2", ElapsedMS: 6100, MinServingSeen: 1,
			Hosts: map[string]deploy.HostResult{"web1": {Phase: deploy.Done}, "web2": {Phase: deploy.Done}}})
		u.Close()
		term.want(t, "at the end", `
fleet  plan       v1 → v2
web1   staged     v2, 10.0 MB  1.4s
web2   done
web1   done
`)
		wantText(t, "stdout", out.String(), "done: shop v2 on 2 hosts in 6.1s; at least 1 of 2 served\n")
	})
}

func TestLiveNamesTheSlowestHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, term, _ := live(120)
		defer u.Close()
		total := int64(60e6)
		tell := func(host string, n, of int64) {
			u.Event(deploy.Event{Kind: deploy.KindHost, Host: host, Phase: deploy.Staging, Bytes: n, Of: of, Total: total})
			time.Sleep(time.Second + 10*time.Millisecond)
		}
		bar := func(when, want string) {
			t.Helper()
			synctest.Wait()
			lines := term.lines(t)
			_, line, _ := strings.Cut(lines[len(lines)-1], "MB/s)")
			wantText(t, when, line, want)
		}
		tell("web1", 10e6, 20e6)
		bar("one host", "  5s left")
		total = 41e6 // a delta will do
		tell("web2", 0.25e6, 1e6)
		bar("two of three", "  6s left, web2 slowest at 25%")
		tell("web3", 2e6, 20e6)
		bar("all of them", "  7s left, web3 slowest at 10%")
		tell("web3", 18e6, 20e6)
		tell("web2", 0.75e6, 1e6)
		bar("one is left", "  2s left, web1 slowest at 50%")
		tell("web1", 10e6, 20e6)
		bar("none", "")
	})
}

// How many serve, how many are out by our hand, how many errors were told, since when: where there is
// room for it beside who is under way.
func TestLiveTalliesWhereThereIsRoom(t *testing.T) {
	for width, want := range map[int]string{
		102: "flipping  50% [==============>               ] (1/2)  web2 draining  serving 0, out 2, errors 1, 1m5s",
		80:  "flipping  50% [==============>               ] (1/2)  web2 draining",
		40:  "flipping  50% (1/2)  web2 draining",
	} {
		synctest.Test(t, func(t *testing.T) {
			u, term, _ := live(width)
			defer u.Close()
			u.Event(host(0, "web1", deploy.Reloading, "", 0))
			u.Event(deploy.Event{Kind: deploy.KindLB, Detail: "1 of 2 hosts serve", Serving: new(1)})
			u.Event(deploy.Event{Kind: deploy.KindLB, Detail: "0 of 2 hosts serve", Serving: new(0)})
			time.Sleep(65 * time.Second)
			u.Event(host(0, "web1", deploy.Failed, "", 0))
			u.Event(deploy.Event{Kind: deploy.KindError, Host: "web1", Detail: "reload: it died"})
			u.Event(host(0, "web2", deploy.Draining, "", 0))
			time.Sleep(150 * time.Millisecond)
			synctest.Wait()
			lines := term.lines(t)
			wantText(t, fmt.Sprint(width), lines[len(lines)-1], want)
		})
	}
}

func TestLiveBarGoesBackInARollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, term, _ := live(60)
		defer u.Close()
		for i, p := range []deploy.Phase{deploy.Done, deploy.Draining, deploy.RolledBack, deploy.Flipping, deploy.Done} {
			u.Event(host(0, "web1", p, "", 0))
			time.Sleep(150 * time.Millisecond)
			synctest.Wait()
			lines := term.lines(t)
			want := map[bool]string{
				true:  "flipping 100% [==========] (1/1)  out 0, errors 0, 1s",
				false: "flipping   0% [          ] (0/1)  web1 " + string(p),
			}[i%2 == 0]
			wantText(t, string(p), lines[len(lines)-1], want)
		}
	})
}

func TestLiveHasNoDrawingOnFewColumns(t *testing.T) {
	for cols, want := range map[int]string{
		60: "flipping   0% [          ] (0/1)  web1 draining (edge1: 3 s",
		59: "flipping   0% (0/1)  web1 draining (edge1: 3 sessions)",
		40: "flipping   0% (0/1)  web1 draining (edg",
	} {
		synctest.Test(t, func(t *testing.T) {
			u, term, _ := live(cols)
			defer u.Close()
			u.Event(host(0, "web1", deploy.Draining, "", 0))
			u.Event(deploy.Event{Kind: deploy.KindLB, Host: "web1", LB: "edge1", Detail: "3 sessions"})
			time.Sleep(150 * time.Millisecond)
			synctest.Wait()
			lines := term.lines(t)
			wantText(t, fmt.Sprint(cols), lines[len(lines)-1], want)
		})
	}
}

func TestLiveNeverWrapsTheBar(t *testing.T) {
	for _, width := range []int{1, 10, 20, 40, 80, 200} {
		synctest.Test(t, func(t *testing.T) {
			u, term, _ := live(width)
			for i := range 30 {
				u.Event(host(0, fmt.Sprintf("web%d", i), deploy.Draining, "日本 sessions", 0))
			}
			time.Sleep(150 * time.Millisecond)
			u.Event(host(0, "web1", deploy.Done, "", 0))
			time.Sleep(150 * time.Millisecond)
			synctest.Wait()
			for _, part := range strings.Split(strings.ReplaceAll(term.String(), "\n", erased), erased) {
				if bar := undrawn(part); bar != part && len([]rune(bar)) >= width {
					t.Errorf("width %d: %q", width, bar)
				}
			}
			u.Close()
			if lines := term.lines(t); lines[len(lines)-1] != "" {
				t.Errorf("left at the bottom: %q", lines[len(lines)-1])
			}
		})
	}
}

func TestLiveDrawsTenTimesASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, term, _ := live(100)
		u.Event(deploy.Event{Kind: deploy.KindHost, Phase: deploy.Staging, Total: 1e9})
		for range 3000 {
			u.Event(deploy.Event{Kind: deploy.KindHost, Host: "web1", Phase: deploy.Staging, Bytes: 1e6})
			time.Sleep(time.Millisecond)
		}
		u.Close()
		if n := strings.Count(term.String(), erased); n < 9 || n > 31 {
			t.Errorf("%d frames in 3 s", n)
		}
		if strings.Contains(term.String(), "100% [====================>") {
			t.Error("more bytes than the total spoilt the bar")
		}
	})
}
