package state

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

var at = time.Date(2026, 11, 21, 3, 7, 12, 0, time.UTC)

func rec(rollout, kind, host string, n int) deploy.Record {
	return deploy.Record{Time: at.Add(time.Duration(n) * time.Second), Rollout: rollout, Kind: kind, Host: host}
}

func planned(rollout, revision string, n int) deploy.Record {
	r := rec(rollout, "plan", "", n)
	r.Plan = &deploy.Plan{Rollout: rollout, Mode: deploy.ModeRollout, Revision: revision, Previous: "v1",
		Hosts: []deploy.PlannedHost{{Name: "web1", From: "v1-00000000", To: revision + "-11111111"}, {Name: "web2", From: "v1-00000000", To: revision + "-11111111"}}}
	return r
}

func journals(t *testing.T, from interface {
	Journals(context.Context) ([]Journal, error)
}) []Journal {
	t.Helper()
	all, err := from.Journals(t.Context())
	ok(t, err)
	return all
}

func kinds(j Journal) string {
	var all []string
	for _, r := range j.Records {
		all = append(all, r.Kind+r.Host)
	}
	return strings.Join(all, " ")
}

func TestRecordsAreReadBackAsWritten(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		equal(t, len(journals(t, s)), 0)
		ok(t, s.Append(t.Context(), 7, planned(r1, "v2", 0)))
		ok(t, s.Append(t.Context(), 7, rec(r1, "intent", "web1", 1), rec(r1, "outcome", "web1", 2)))
		j := journals(t, s)[0]
		equal(t, kinds(j), "plan intentweb1 outcomeweb1")
		equal(t, j.Rollout, r1)
		equal(t, j.Epoch(), 7)
		equal(t, j.Plan().Hosts[1].To, "v2-11111111")
		equal(t, j.Unfinished(), true)
	})
}

func TestAStaleEpochWritesNothing(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		err := s.Append(t.Context(), 6, rec(r1, "end", "", 0))
		says(t, err, "edge1: fenced: the fence is at epoch 7, this run is epoch 6", "FD-FENCED", hintFenced)
		equal(t, exists(filepath.Join(s.dir, "shop", "journal", r1+".jsonl")), false)
		says(t, s.Append(t.Context(), 7, rec("../x", "end", "", 0)), `edge1: state: journal: rollout "../x": not allowed`, "FD-STATE-NAME", "correct the name in the inventory")
	})
}

func TestATornLastLineSpoilsNoOther(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		for _, torn := range []string{`{"time":"2026-11-21T03:`, "\x00\x00\x00", `{"kind":"plan"}`, "x"} {
			s := raised(t, m, t.TempDir(), "shop", 7)
			ok(t, s.Append(t.Context(), 7, planned(r1, "v2", 0)))
			file := filepath.Join(s.dir, "shop", "journal", r1+".jsonl")
			write(t, file, read(t, file)+torn)
			j := journals(t, s)[0]
			equal(t, kinds(j), "plan")
			equal(t, j.Torn, 1)
			ok(t, s.Append(t.Context(), 7, rec(r1, "end", "", 1)))
			j = journals(t, s)[0]
			equal(t, kinds(j), "plan end")
			equal(t, j.Unfinished(), false)
		}
	})
}

func TestJournalsLargerThanOneAnswerAreReadWhole(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		big := rec(r1, "intent", "web1", 0)
		big.Detail = strings.Repeat("x", 150<<10)
		ok(t, s.Append(t.Context(), 7, big))
		ok(t, s.Append(t.Context(), 7, rec(r1, "end", "", 1)))
		ok(t, s.Append(t.Context(), 7, rec(r2, "end", "", 2)))
		all := journals(t, s)
		equal(t, all[0].Rollout, r2)
		equal(t, kinds(all[1]), "intentweb1 end")
		equal(t, len(all[1].Records[0].Detail), 150<<10)
	})
}

func TestUnknownFieldsAndFilesOfLaterVersionsAreKept(t *testing.T) {
	m := &machine{path: t.TempDir()}
	ok(t, os.Symlink(need(t, "dash"), filepath.Join(m.path, "sh")))
	s := m.store(t, t.TempDir(), "shop")
	dir := filepath.Join(s.dir, "shop", "journal")
	line := `{"rollout":"r9","epoch":3,"kind":"end","moon":{"phase":"full"}}`
	write(t, filepath.Join(dir, "r9.jsonl"), line+"\n")
	write(t, filepath.Join(dir, "notes.txt"), "not ours\n")
	write(t, filepath.Join(dir, "a b.jsonl"), "{}\n")
	all := journals(t, s)
	equal(t, len(all), 1)
	equal(t, string(all[0].Lines[0]), line)
}

// dumb is a machine that does not answer while down.
type dumb struct {
	*machine
	down bool
	lost bool // the script runs, its answer is lost
}

var errDown = errors.New("connection lost")

func (d *dumb) Run(ctx context.Context, script string) ([]byte, error) {
	if d.down {
		return nil, errDown
	}
	out, err := d.machine.Run(ctx, script)
	if d.lost {
		return nil, errDown
	}
	return out, err
}

func TestABookWritesToAllAndALateBalancerCatchesUp(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		d := &dumb{machine: m}
		a, b := m.store(t, t.TempDir(), "shop"), New("edge2", t.TempDir(), "shop", d, m, false)
		ok(t, b.Prepare(t.Context()))
		stores := []*Store{a, b}
		epoch, err := Raise(t.Context(), stores)
		ok(t, err)
		book := NewBook(stores, epoch)
		ok(t, book.Append(t.Context(), planned(r1, "v2", 0)))
		d.down = true
		ok(t, book.Append(t.Context(), rec(r1, "intent", "web1", 1)))
		equal(t, strings.Join(book.Behind(), " "), "edge2")
		j, err := book.Unfinished(t.Context())
		ok(t, err)
		equal(t, kinds(*j), "plan intentweb1")
		d.down, d.lost = false, true
		ok(t, book.Append(t.Context(), rec(r1, "outcome", "web1", 2)))
		d.lost = false
		ok(t, book.Append(t.Context(), rec(r1, "end", "", 3)))
		equal(t, len(book.Behind()), 0)
		for _, s := range stores {
			equal(t, kinds(journals(t, s)[0]), "plan intentweb1 outcomeweb1 end")
		}
		j, err = book.Unfinished(t.Context())
		ok(t, err)
		equal(t, j == nil, true)
	})
}

func TestABookFailsWhenNoBalancerAnswersOrOneIsFenced(t *testing.T) {
	m := &machine{path: t.TempDir()}
	ok(t, os.Symlink(need(t, "dash"), filepath.Join(m.path, "sh")))
	d := &dumb{machine: m}
	a, b := m.store(t, t.TempDir(), "shop"), New("edge2", t.TempDir(), "shop", d, m, false)
	ok(t, b.Prepare(t.Context()))
	_, err := Raise(t.Context(), []*Store{a, b})
	ok(t, err)
	d.down = true
	err = NewBook([]*Store{b}, 1).Append(t.Context(), rec(r1, "end", "", 0))
	equal(t, err.Error(), "edge2: state: journal: connection lost")
	equal(t, errors.Is(err, errDown), true)
	_, err = NewBook([]*Store{b}, 1).Unfinished(t.Context())
	equal(t, err.Error(), "edge2: state: read the journals: connection lost")
	d.down = false
	_, err = Raise(t.Context(), []*Store{b})
	ok(t, err)
	err = NewBook([]*Store{a, b}, 1).Append(t.Context(), rec(r1, "end", "", 0))
	says(t, err, "edge2: fenced: the fence is at epoch 2, this run is epoch 1", "FD-FENCED", hintFenced)
}

func TestHistoryTellsEachRolloutNewestFirst(t *testing.T) {
	m := &machine{path: t.TempDir()}
	ok(t, os.Symlink(need(t, "dash"), filepath.Join(m.path, "sh")))
	s := raised(t, m, t.TempDir(), "shop", 7)
	book := NewBook([]*Store{s}, 7)
	end := rec(r1, "end", "", 5)
	end.Outcome = deploy.OutcomeDone
	reached := rec(r1, "outcome", "web1", 3)
	reached.Act = deploy.Done
	for _, r := range []deploy.Record{planned(r1, "v2", 0), reached, end} {
		ok(t, book.Append(t.Context(), r))
	}
	_, err := Raise(t.Context(), []*Store{s})
	ok(t, err)
	book = NewBook([]*Store{s}, 8)
	ok(t, book.Append(t.Context(), planned(r2, "v3", 9)))
	h, err := book.History(t.Context())
	ok(t, err)
	equal(t, len(h), 2)
	equal(t, h[0].Rollout, r2)
	equal(t, h[0].Outcome, "")
	equal(t, h[0].Ended.IsZero(), true)
	equal(t, h[1].Revision+" "+string(h[1].Outcome)+" "+string(h[1].Mode)+" "+h[1].Previous, "v2 done rollout v1")
	equal(t, h[1].Started.Equal(at) && h[1].Ended.Equal(at.Add(5*time.Second)), true)
	equal(t, h[1].Hosts[0], Change{"web1", "v1-00000000", "v2-11111111", deploy.Done})
	equal(t, h[1].Hosts[1], Change{"web2", "v1-00000000", "v2-11111111", ""})
}

func TestARolloutThatPlansAgainAfterItsEndIsUnfinishedOnceMore(t *testing.T) {
	end := rec(r1, "end", "", 1)
	end.Outcome = deploy.OutcomeRolledBack
	j := Journal{Rollout: r1, Records: []deploy.Record{planned(r1, "v2", 0), end}}
	equal(t, j.Unfinished(), false)
	equal(t, j.Outcome(), deploy.OutcomeRolledBack)
	j.Records = append(j.Records, planned(r1, "v2", 2))
	equal(t, j.Unfinished(), true)
	equal(t, j.Outcome(), "")
}

func TestTwoAppsOnOneMachineKeepApart(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		dir := t.TempDir()
		shop, blog := raised(t, m, dir, "shop", 7), raised(t, m, dir, "blog", 3)
		_, l1, err := Acquire(t.Context(), []*Store{shop}, ana)
		ok(t, err)
		_, l2, err := Acquire(t.Context(), []*Store{blog}, bob)
		ok(t, err)
		ok(t, shop.Append(t.Context(), 7, rec(r1, "end", "", 0)))
		equal(t, len(journals(t, blog)), 0)
		marked(t, shop, r1, 7, "web1")
		marks, err := blog.Marks(t.Context())
		ok(t, err)
		equal(t, marks[0].App+" "+marks[0].Host, "shop web1")
		l1.Release()
		l2.Release()
	})
}

func TestRolloutIDsSortAsTimeDoes(t *testing.T) {
	id, err := NewID(at, bytes.NewReader([]byte{0x7f, 0x3a}))
	ok(t, err)
	equal(t, id, "20261121-030712-7f3a")
	later, err := NewID(at.Add(time.Second).In(time.FixedZone("x", -3600)), bytes.NewReader([]byte{0, 0}))
	ok(t, err)
	equal(t, id < later && rolloutName().MatchString(later), true)
	_, err = NewID(at, bytes.NewReader(nil))
	equal(t, err.Error(), "rollout id: EOF")
}

// Whatever a journal's bytes are: reading ends, every record read is one of its
// rollout, and a whole record behind the torn bytes is still found.
func FuzzParse(f *testing.F) {
	seeds := []string{"", "x", `{"rollout":"r1","epoch":1,"kind":"plan"}`, `{"rollout":"r1","epoch":-1,"kind":"end"}` + "\n\n", "\x00\xff\n{}\n[]\nnull\n",
		`{"file":"r2.jsonl"}` + "\n" + `{"rollout":"r2","kind":"end"}`, `{"rollout":"r1","kind":"plan","plan":7}`, `{"file":"../x.jsonl"}`, strings.Repeat("{", 5000)}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, torn []byte) {
		stream := append([]byte("\n{\"file\":\"r1.jsonl\"}\n"), torn...)
		stream = append(stream, "\n{\"file\":\"last.jsonl\"}\n{\"rollout\":\"last\",\"epoch\":9,\"kind\":\"end\"}\n"...)
		all, found := ReadJournals(stream), false
		for _, j := range all {
			equal(t, len(j.Records), len(j.Lines))
			for _, r := range j.Records {
				equal(t, r.Rollout, j.Rollout)
			}
			found = found || j.Rollout == "last" && len(j.Records) > 0
		}
		equal(t, found, true)
		equal(t, len(Merge(all, all)) <= len(all), true)
	})
}
