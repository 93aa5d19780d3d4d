package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// journalOf is a journal of two hosts, the second of which failed and was brought back: web1
// is out from 1 s to 5 s (its bake not counted), web2 from 8 s to 14 s.
func journalOf(name func(string) string) *state.Journal {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	web1, web2, v1, v2 := name("web1"), name("web2"), name("v1-aaaaaaaa"), name("v2-bbbbbbbb")
	plan := &deploy.Plan{Rollout: "7f3a", App: "shop", Mode: deploy.ModeRollout, Revision: name("v2"), Previous: name("v1"), Parallel: 1, MinServing: 2,
		Serving: 3, OnFailure: deploy.FailRollback, Bake: 2 * time.Second, Hosts: []deploy.PlannedHost{
			{Name: web1, From: v1, To: v2, Ran: true, Serving: true}, {Name: web2, From: v1, To: v2, Ran: true, Serving: true},
			{Name: name("web3"), From: v1, To: v1, Ran: true, Out: name("maint on edge1, not by us")}}}
	j := &state.Journal{Rollout: "7f3a"}
	add := func(s int, r deploy.Record) {
		r.Time, r.Rollout = began.Add(time.Duration(s)*time.Second), "7f3a"
		j.Records = append(j.Records, r)
	}
	host := func(s int, host, kind string, act deploy.Phase, release, detail string) {
		add(s, deploy.Record{Kind: kind, Host: host, Act: act, Release: release, Detail: detail})
	}
	add(0, deploy.Record{Kind: "plan", Plan: plan, Detail: name("alice@ci")})
	host(1, web1, "intent", deploy.Draining, "", "")
	host(2, web1, "outcome", deploy.Drained, "", "")
	host(2, web1, "intent", deploy.Flipping, v2, "")
	host(3, web1, "intent", deploy.Reloading, v2, "")
	host(4, web1, "intent", deploy.Readying, v2, "")
	host(7, web1, "outcome", deploy.Done, v2, "")
	if name("") != "" { // a journal that somebody else wrote into
		plan.Mode, plan.OnFailure = deploy.Mode(name("rollout")), deploy.Failure(name("rollback"))
		host(7, name("web3"), "intent", deploy.Phase(name("baking")), "", "")
	}
	host(8, web2, "intent", deploy.Draining, "", "")
	host(9, web2, "outcome", deploy.Drained, "", "")
	host(9, web2, "intent", deploy.Flipping, v2, "")
	host(10, web2, "intent", deploy.Reloading, v2, "")
	host(13, web2, "outcome", deploy.Failed, v2, name("verify: /health answered 500"))
	host(14, web2, "outcome", deploy.RolledBack, v1, "")
	add(15, deploy.Record{Kind: "turn", Outcome: deploy.OutcomeRolledBack})
	add(19, deploy.Record{Kind: "probe", Probe: &deploy.Probe{URL: name("https://shop.example/"), Requests: 190, Failed: 1, P99MS: 4, Failures: []string{name("03:04:18.120 answered 500")}}})
	add(20, deploy.Record{Kind: "end", Outcome: deploy.OutcomeRolledBack})
	return j
}

func plain(s string) string { return s }

func pageOf(t *testing.T, j *state.Journal) string {
	t.Helper()
	var b bytes.Buffer
	if err := reportOf(j, "").write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReportKnowsCapacityFromTheJournal(t *testing.T) {
	r := reportOf(journalOf(plain), "")
	var got []string
	for _, s := range r.Steps {
		got = append(got, fmt.Sprintf("%d in for %.0f%% low=%v", s.In, s.Width, s.Low))
	}
	want := "3 in for 5% low=false; 2 in for 20% low=true; 3 in for 15% low=false; 2 in for 30% low=true; 3 in for 30% low=false"
	if strings.Join(got, "; ") != want || r.Least != 2 || r.Floor != 2 {
		t.Errorf("%s, least %d, floor %d\nwant %s", strings.Join(got, "; "), r.Least, r.Floor, want)
	}
	if s := r.Slow[0]; s.Host != "web1" || s.Phase != "put back" || s.Took != "3s" {
		t.Errorf("the slowest is %+v", s)
	}
	if h := r.Hosts[1]; h.End != "rolled_back" || !h.Bad || len(h.Spans) != 5 || len(h.Proofs) != 3 {
		t.Errorf("web2: %+v", h)
	}
	if h := r.Hosts[2]; h.End != "left_out: maint on edge1, not by us" || h.Bad || h.Spans != nil {
		t.Errorf("web3: %+v", h)
	}
}

// A canary that is watched for longer, until the judge has seen enough, serves meanwhile:
// it is out from 1 s to 5 s, and once more when it failed after all, from 65 s to 68 s.
func TestAHostThatBakesForLongIsNotOut(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	plan := &deploy.Plan{Rollout: "7f3a", App: "shop", Serving: 2, MinServing: 1, Bake: 2 * time.Second,
		Hosts: []deploy.PlannedHost{{Name: "web1", From: "v1-aaaaaaaa", To: "v2-bbbbbbbb", Ran: true, Serving: true}}}
	host := func(s int, kind string, act deploy.Phase, back time.Time) deploy.Record {
		return deploy.Record{Time: at(s), Rollout: "7f3a", Kind: kind, Host: "web1", Act: act, Back: back}
	}
	never := time.Time{}
	j := &state.Journal{Rollout: "7f3a", Records: []deploy.Record{{Time: at(0), Rollout: "7f3a", Kind: "plan", Plan: plan},
		host(1, "intent", deploy.Draining, never), host(3, "intent", deploy.Flipping, never), host(4, "intent", deploy.Readying, never)}}
	passed := append(slices.Clone(j.Records), host(65, "outcome", deploy.Done, at(5)), deploy.Record{Time: at(70), Rollout: "7f3a", Kind: "end"})
	failed := append(slices.Clone(j.Records), host(65, "outcome", deploy.Failed, at(5)), host(65, "intent", deploy.Draining, never),
		host(67, "intent", deploy.Readying, never), host(68, "outcome", deploy.RolledBack, at(68)), deploy.Record{Time: at(70), Rollout: "7f3a", Kind: "end"})
	for _, c := range []struct {
		records []deploy.Record
		outMS   int64
		in      string
	}{
		{passed, 4000, "2 for 1s; 1 for 4s; 2 for 65s; "},
		{failed, 7000, "2 for 1s; 1 for 4s; 2 for 60s; 1 for 3s; 2 for 2s; "},
	} {
		j.Records = c.records
		r, in := reportOf(j, ""), ""
		for _, s := range r.Steps {
			in += fmt.Sprintf("%d for %.0fs; ", s.In, s.Width*0.7)
		}
		if r.Hosts[0].OutMS != c.outMS || in != c.in {
			t.Errorf("out for %d ms, in rotation %s\nwant %d, %s", r.Hosts[0].OutMS, in, c.outMS, c.in)
		}
		if s := r.Slow[0]; s.Phase != "bake" || s.Took != "1m0s" {
			t.Errorf("the slowest is %+v", s)
		}
	}
}

func TestReportIsAPageWithoutTheRestOfTheWorld(t *testing.T) {
	page := pageOf(t, journalOf(plain))
	wellFormed(t, page)
	for _, want := range []string{"<title>shop v2: rollout 7f3a</title>", `content="width=device-width, initial-scale=1"`, "prefers-color-scheme: dark",
		"max-width: 40rem", `aria-label="hosts in rotation over time: at least 2 of 3, the floor is 2"`, "by alice@ci", "turned back after 15s",
		`<span class="bad">1 failed of 190 · p99 4 ms</span>`, `<code>https://shop.example/</code>`, `<p class="soft">03:04:18.120 answered 500</p>`,
		`<p>03:04:18.0 failed <code>v2-bbbbbbbb</code>: verify: /health answered 500</p>`, `title="draining: 1s"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if refs := regexp.MustCompile(`(?i)(?:src|href|url|action|@import)\s*[=(][^>]{0,40}`).FindAllString(page, -1); !slices.Equal(refs, []string{`href="data:,"`}) {
		t.Errorf("it refers to %q", refs)
	}
	if strings.Contains(strings.ToLower(page), "<script") || strings.Contains(page, "ZgotmplZ") {
		t.Error("there is a script, or what the template would not let through")
	}
}

// Names come from inventories, words from machines.
func TestNothingInAReportIsMoreThanText(t *testing.T) {
	evil := `"><script>alert(1)</script><img src=//evil onerror=x>';}</style>{{.}}` + "\x1b[31m\u202e\n"
	page := pageOf(t, journalOf(func(s string) string { return s + evil }))
	wellFormed(t, page)
	low := strings.ToLower(page)
	for _, bad := range []string{"<script", "<img", "\x1b", "\u202e", "zgotmplz", "</style>{{"} {
		if strings.Contains(low, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if strings.Count(low, "<style") != 1 || strings.Count(low, "</style>") != 1 || strings.Count(low, "<title") != 1 {
		t.Error("the page was broken up")
	}
	j := journalOf(func(s string) string { return s + "." })
	if n := strings.Count(pageOf(t, j), "<"); strings.Count(page, "<") != n {
		t.Errorf("%d tags, and %d with plain names", strings.Count(page, "<"), n)
	}
}

var tag = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:\s+[a-z-]+(?:="[^"]*")?)*\s*>`)

// wellFormed: every < begins a tag, and every tag that is opened is closed in its order.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	var open []string
	tags := tag.FindAllStringSubmatch(page, -1)
	for _, m := range tags {
		switch {
		case m[2] == "meta" || m[2] == "link":
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Fatalf("</%s> closes %v", m[2], open)
		default:
			open = open[:len(open)-1]
		}
	}
	if n := strings.Count(page, "<") - 1; len(open) > 0 || n != len(tags) { // the doctype
		t.Errorf("%v stay open, %d tags of %d", open, len(tags), n)
	}
}

func TestAnUnfinishedRolloutHasAReport(t *testing.T) {
	j := journalOf(plain)
	j.Records = j.Records[:5]
	page := pageOf(t, j)
	wellFormed(t, page)
	if !strings.Contains(page, `<span class="bad">unfinished</span>`) {
		t.Error("it is not said to be unfinished")
	}
	j.Records = j.Records[:1]
	wellFormed(t, pageOf(t, j))
}

// A page that is being written is not there yet, and what was there stays until then.
func TestAReportIsWrittenWholeOrNotAtAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.html")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := reportOf(journalOf(plain), "")
	err := writePage(file, func(w io.Writer) error {
		return errors.Join(r.write(w), errors.New("no more"))
	})
	if err == nil || deploy.CodeOf(err) != "FD-REPORT-WRITE" || read(t, file) != "old" {
		t.Errorf("%v, and the file has %.20q", err, read(t, file))
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".report-*")); left != nil {
		t.Errorf("%q is left", left)
	}
	if err := writePage(file, r.write); err != nil || !strings.HasPrefix(read(t, file), "<!doctype html>") {
		t.Errorf("%v", err)
	}
	err = writePage(filepath.Join(t.TempDir(), "none", "r.html"), r.write)
	if err == nil || !strings.Contains(err.Error(), "r.html: cannot be written: no such file or directory") {
		t.Errorf("%v", err)
	}
}
