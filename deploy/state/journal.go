package state

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// Bounds of what is read: journals, one piece of the answer, all of it.
const (
	journalCount = 40
	pieceSize    = 48 << 10
	journalTotal = 32 << 20
)

// A Journal is what one rollout wrote, as far as it can be read.
type Journal struct {
	Rollout string
	Records []deploy.Record
	Lines   []json.RawMessage // as they were written, unknown fields too
	Torn    int               // lines left out: never acknowledged to who wrote them

	seen map[string]bool
}

// Append returns once the records are on the balancer's disk, behind a fence
// check. A line that a dying machine left torn is closed first, so that it
// spoils no other.
func (s *Store) Append(ctx context.Context, epoch int64, records ...deploy.Record) error {
	var lines []string
	for _, r := range records {
		if err := check("rollout", rolloutName, r.Rollout); err != nil {
			return s.fault("journal", err.Error(), "FD-STATE-NAME", hintName)
		}
		line, err := encode(epoch, r)
		if err != nil {
			return fmt.Errorf("%s: state: journal: %w", s.name, err)
		}
		lines = append(lines, line)
	}
	return s.Write(ctx, epoch, records[0].Rollout, lines)
}

// Write appends lines to the journal of a rollout, as Append does.
func (s *Store) Write(ctx context.Context, epoch int64, rollout string, lines []string) error {
	_, err := s.ask(ctx, "journal", "append", claimant{epoch: epoch}, struct {
		Epoch int64
		File  string
		Lines []string
	}{epoch, rollout + ".jsonl", lines})
	return err
}

// Journals are the latest ones kept here, the newest first by epoch.
func (s *Store) Journals(ctx context.Context) ([]Journal, error) {
	var all []byte
	for len(all) < journalTotal {
		piece, err := s.ask(ctx, "read the journals", "journals", claimant{}, struct{ Count, From, Size int }{journalCount, len(all) + 1, pieceSize})
		if err != nil {
			return nil, err
		}
		all = append(all, piece...)
		if len(piece) < pieceSize {
			break
		}
	}
	return ReadJournals(all), nil
}

// ReadJournals reads a stream of journals, each behind a line that names its file. A
// line that is no record is left out: it was torn when a machine died, and its
// record never acknowledged.
func ReadJournals(stream []byte) []Journal {
	var all []Journal
	for line := range bytes.Lines(stream) {
		line = bytes.TrimSpace(line)
		if name, ok := header(line); ok {
			all = append(all, Journal{Rollout: name, seen: map[string]bool{}})
		} else if len(line) > 0 && len(all) > 0 {
			all[len(all)-1].add(line)
		}
	}
	sortByEpoch(all)
	return all
}

func header(line []byte) (string, bool) {
	name, ok := bytes.CutPrefix(line, []byte(`{"file":"`))
	name, end := bytes.CutSuffix(name, []byte(`.jsonl"}`))
	if !ok || !end || !rolloutName().Match(name) {
		return "", false
	}
	return string(name), true
}

// add takes a line in. The same line twice is one record, written again because
// its first writing was not acknowledged in time.
func (j *Journal) add(line []byte) {
	var r deploy.Record
	if err := json.Unmarshal(line, &r); err != nil || r.Kind == "" || r.Rollout != j.Rollout {
		j.Torn++
		return
	}
	if j.seen[string(line)] {
		return
	}
	j.seen[string(line)] = true
	j.Records = append(j.Records, r)
	j.Lines = append(j.Lines, json.RawMessage(bytes.Clone(line)))
}

// Epoch is the highest that wrote here.
func (j *Journal) Epoch() int64 {
	e := int64(0)
	for _, r := range j.Records {
		e = max(e, r.Epoch)
	}
	return e
}

// Plan is the last one, nil without any.
func (j *Journal) Plan() *deploy.Plan {
	for _, r := range slices.Backward(j.Records) {
		if r.Kind == "plan" && r.Plan != nil {
			return r.Plan
		}
	}
	return nil
}

// Unfinished tells whether somebody has to go on with the rollout.
func (j *Journal) Unfinished() bool { return deploy.Unfinished(j.Records) }

// Standing is how far the rollout got, which way.
func (j *Journal) Standing() deploy.Standing { return deploy.StandingOf(j.Records) }

func sortByEpoch(all []Journal) {
	slices.SortStableFunc(all, func(a, b Journal) int {
		return cmp.Or(cmp.Compare(b.Epoch(), a.Epoch()), cmp.Compare(b.Rollout, a.Rollout))
	})
}

// Merge makes one list of what several balancers kept. Mostly every journal of a
// rollout is a beginning of the longest; where balancers were away by turns, over
// several runs, each has what another missed.
func Merge(kept ...[]Journal) []Journal {
	best := map[string]Journal{}
	for _, list := range kept {
		for _, j := range list {
			if old, ok := best[j.Rollout]; ok {
				j = old.joined(j)
			}
			best[j.Rollout] = j
		}
	}
	all := make([]Journal, 0, len(best))
	for _, j := range best {
		all = append(all, j)
	}
	sortByEpoch(all)
	return all
}

// joined is the longer of two, with what only the other has in its place.
func (j Journal) joined(other Journal) Journal {
	if len(other.Records) > len(j.Records) {
		j, other = other, j
	}
	all := Journal{Rollout: j.Rollout, Torn: j.Torn, seen: map[string]bool{}}
	for _, line := range slices.Concat(j.Lines, other.Lines) {
		all.add(line)
	}
	if len(all.Lines) == len(j.Lines) {
		return j
	}
	order := make([]int, len(all.Records))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := all.Records[a], all.Records[b]
		return cmp.Or(cmp.Compare(x.Epoch, y.Epoch), x.Time.Compare(y.Time))
	})
	in := Journal{Rollout: j.Rollout, Torn: j.Torn, seen: all.seen}
	for _, i := range order {
		in.Records, in.Lines = append(in.Records, all.Records[i]), append(in.Lines, all.Lines[i])
	}
	return in
}
