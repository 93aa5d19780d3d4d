package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

const (
	planFormat  = 1
	maxPlanFile = 64 << 20 // a plan of a thousand hosts is below one MiB
)

// A planFile is a plan to be carried out later, with all that it was made for. It is
// believed in nothing: the plan is made anew from the fleet, and has to come out the same.
type planFile struct {
	Format     int         `json:"format"`
	Made       time.Time   `json:"made"`
	Flipdeploy string      `json:"flipdeploy"`       // version that made it
	Inventory  string      `json:"inventory_sha256"` // of the file
	Artifact   string      `json:"artifact_sha256"`
	Flags      planFlags   `json:"flags"`
	Settings   settings    `json:"settings,omitempty"` // not in files of old
	Plan       deploy.Plan `json:"plan"`
	Seats      seatPlan    `json:"seats"`
	Sum        string      `json:"sha256"` // of all the above
}

// A seatPlan is where hosts stood, by balancer, then host.
type seatPlan map[string]map[string]plannedSeat

type plannedSeat struct {
	State    deploy.State `json:"state"`
	Owner    string       `json:"owner,omitempty"` // of a mark on a host that is not ready
	Backends []string     `json:"backends"`
}

// text is p as it lies in a file, with the sum of all of it.
func (p planFile) text() ([]byte, error) {
	p.Sum = ""
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	p.Sum = hex.EncodeToString(sum[:])
	text, err = json.MarshalIndent(p, "", "  ")
	return append(text, '\n'), err
}

// planned is a plan and all that it was made for.
func (o rolloutOptions) planned(s *session, p deploy.Plan, survey deploy.Survey, artifact string) planFile {
	return planFile{Format: planFormat, Made: time.Now().UTC().Round(time.Second), Flipdeploy: version(), Inventory: s.inv.SHA256,
		Artifact: artifact, Flags: (&o).planFlags(), Settings: settingsOf(s.inv), Plan: p, Seats: s.seatPlan(survey)}
}

func (s *session) seatPlan(survey deploy.Survey) seatPlan {
	all := seatPlan{}
	for _, b := range s.lbs {
		all[b.name] = map[string]plannedSeat{}
		for host, seat := range survey.Seats[b.name] {
			p := plannedSeat{State: seat.State, Backends: []string{}}
			if seat.State != deploy.StateReady { // a mark on a host that is ready was left by a dead run, and goes
				p.Owner = seat.Owner
			}
			for _, k := range b.keys[host] {
				p.Backends = append(p.Backends, k.Upstream+"@"+k.Address)
			}
			all[b.name][host] = p
		}
	}
	return all
}

// writePlan puts the whole of p at file, or leaves what is there.
func writePlan(file string, p planFile) error {
	text, err := p.text()
	if err == nil {
		err = writeWhole(file, func(w io.Writer) error { _, err := w.Write(text); return err })
	}
	if err == nil {
		return nil
	}
	return &deploy.Fault{Code_: "FD-PLAN-WRITE", Err: fmt.Errorf("%s: cannot be written: %w", file, reason(err)),
		Hint_: "make the directory, or name another place with -o FILE"}
}

// readPlan is the plan at file, as it was written.
func readPlan(file string) (*planFile, error) {
	text, err := readBounded(file)
	if err != nil {
		return nil, noPlan(file, "cannot be read: %w", reason(err))
	}
	var of struct {
		Format *int `json:"format"`
	}
	switch err := json.Unmarshal(text, &of); {
	case err != nil:
		return nil, noPlan(file, "is no plan, or not the whole of one: %w", err)
	case of.Format == nil:
		return nil, noPlan(file, "is no plan: it has no format")
	case *of.Format != planFormat:
		return nil, noPlan(file, "is of format %d, and this flipdeploy reads format %d", *of.Format, planFormat)
	}
	p := &planFile{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, noPlan(file, "is no plan: %w", err)
	}
	if again, err := p.text(); err != nil || !bytes.Equal(again, text) {
		return nil, noPlan(file, "was changed since it was written")
	}
	return p, nil
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	text, err := io.ReadAll(io.LimitReader(f, maxPlanFile+1))
	if err == nil && len(text) > maxPlanFile {
		err = errors.New("it is too large for a plan")
	}
	return text, err
}

func noPlan(file, format string, args ...any) error {
	return &deploy.Fault{Code_: "FD-PLAN-FILE", Err: fmt.Errorf("%s: "+format, append([]any{file}, args...)...),
		Hint_: "make it anew: flipdeploy plan -o " + shellWord(file)}
}
