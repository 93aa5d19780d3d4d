package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// follow reads the plan that is to be carried out, if one is, and takes its flags over.
// What can be told of it without asking a machine is compared.
func (o *rolloutOptions) follow(inv *inventory.Inventory) error {
	if o.planFile == "" {
		return nil
	}
	p, err := readPlan(o.planFile)
	if err != nil {
		return err
	}
	differ, err := o.adopt(p.Flags)
	if err != nil {
		return noPlan(o.planFile, "is no plan: %w", err)
	}
	o.agreed = p
	if inv.SHA256 != p.Inventory {
		differ = append(differ, fmt.Sprintf("inventory %s of sha256 %s, now %s", inv.Path, short(p.Inventory), short(inv.SHA256)))
	}
	return o.stale(differ)
}

// sameArtifact is nil when art is what the plan was made for, or no plan was given.
func (o rolloutOptions) sameArtifact(art *site.Artifact) error {
	if o.agreed == nil || art.SHA256 == o.agreed.Artifact {
		return nil
	}
	return o.stale([]string{fmt.Sprintf("artifact of sha256 %s, now %s", short(o.agreed.Artifact), short(art.SHA256))})
}

// short is enough of a sum to tell two apart.
func short(sum string) string { return sum[:min(12, len(sum))] }

// asAgreed is nil when the plan that was made of the fleet now is the one that was
// given, or none was.
func (o rolloutOptions) asAgreed(s *session, p deploy.Plan, survey deploy.Survey) error {
	if o.agreed == nil {
		return nil
	}
	now := o.planned(s, p, survey, o.agreed.Artifact)
	return o.stale(differences(factsOf(o.agreed.Plan, o.agreed.Seats), factsOf(now.Plan, now.Seats)))
}

// A fact is one thing that a plan was made of or says: about a host, or "" for the fleet.
type fact struct{ host, name string }

// factsOf is everything in a plan but the id of the run, which each has its own of, and
// in what words a host could not be reached.
func factsOf(p deploy.Plan, seats seatPlan) map[fact]string {
	facts := map[fact]string{}
	for _, h := range p.Hosts {
		if h.Unread {
			h.Skip = "skipped"
		}
		tell(facts, h.Name, "", h)
	}
	for lb, hosts := range seats {
		for host, seat := range hosts {
			tell(facts, host, lb+" ", seat)
		}
	}
	p.Rollout, p.Hosts = "", nil
	tell(facts, "", "", p)
	return facts
}

// tell enters the fields of v under their names in JSON.
func tell(facts map[fact]string, host, prefix string, v any) {
	text, err := json.Marshal(v)
	fields := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		panic(err) // it is a struct of ours, without anything that JSON has not
	}
	for name, value := range fields {
		facts[fact{host, prefix + name}] = plainly(value)
	}
}

// plainly is a value as a person would write it, "" for none.
func plainly(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return unlessIs(unlessIs(unlessIs(string(value), "false"), "null"), "[]")
}

// differences are in words, those of hosts first.
func differences(then, now map[fact]string) (all []string) {
	both := maps.Clone(then)
	maps.Copy(both, now)
	byHost := func(a, b fact) int {
		if (a.host == "") != (b.host == "") {
			return strings.Compare(b.host, a.host)
		}
		return strings.Compare(a.host+" "+a.name, b.host+" "+b.name)
	}
	for _, f := range slices.SortedFunc(maps.Keys(both), byHost) {
		if then[f] == now[f] {
			continue
		}
		words := fmt.Sprintf("%s %s, now %s", f.name, or(then[f], "nothing"), or(now[f], "nothing"))
		if f.host != "" {
			words = f.host + ": " + words
		}
		all = append(all, words)
	}
	return all
}

// A staleError says that a plan is not what would be done now.
type staleError struct {
	file  string
	made  time.Time
	why   []string
	again string // command that makes it anew
}

// stale is nil when nothing differs.
func (o rolloutOptions) stale(differ []string) error {
	if len(differ) == 0 {
		return nil
	}
	again := "flipdeploy plan -o " + shellWord(o.planFile)
	if o.inventory != "inventory.toml" {
		again += " -i " + shellWord(o.inventory)
	}
	if len(o.agreed.Flags) > 0 {
		again += " " + o.agreed.Flags.words()
	}
	return &staleError{file: o.planFile, made: o.agreed.Made, why: differ, again: again}
}

func (e *staleError) Error() string {
	more := ""
	if n := len(e.why) - 1; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("%s: the plan of %s does not hold any more: %s%s", e.file, e.made.Format(time.RFC3339), e.why[0], more)
}
func (e *staleError) Code() string { return "FD-PLAN-STALE" }
func (e *staleError) Hint() string { return "look at what would be done now: " + e.again }

// Evidence is all that differs, where the error does not say it.
func (e *staleError) Evidence() []string {
	if len(e.why) == 1 {
		return nil
	}
	return e.why
}
