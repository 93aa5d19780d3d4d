package cli

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	ucli "github.com/urfave/cli/v2"
)

// What explain says of every code is data. A test wants an entry for every code in the
// source, and a code for every entry.
//
//go:embed codes.json
var codesFile []byte

// A meaning is what is to be known of a code.
type meaning struct {
	Code  string `json:"code"`
	Means string `json:"means"`
	Why   string `json:"why"`
	Do    string `json:"do"`
}

// meanings are those of all codes, by code.
func meanings() (map[string]meaning, error) {
	var all map[string]meaning
	if err := json.Unmarshal(codesFile, &all); err != nil {
		return nil, err
	}
	for code, m := range all {
		m.Code = code
		all[code] = m
	}
	return all, nil
}

func (x *program) explainCommand() *ucli.Command {
	return &ucli.Command{
		Name: "explain", Usage: "what a code such as FD-DRAIN-TIMEOUT means, why it happens and what to do", ArgsUsage: "[CODE]",
		Action: func(c *ucli.Context) error {
			return x.offline(c, func(a *asking) (deploy.Outcome, error) {
				if c.NArg() > 1 {
					return deploy.OutcomeRefused, usage("explain takes one code, and got %q too", c.Args().Get(1))
				}
				return a.explain(c.Args().First())
			})
		},
	}
}

// offline does work that needs no inventory and asks no machine.
func (x *program) offline(c *ucli.Context, work func(a *asking) (deploy.Outcome, error)) error {
	return x.answer(c, func(a *asking, screen *ui.UI) (deploy.Outcome, error) {
		a.session = &session{screen: screen}
		return work(a)
	})
}

// explain tells one code, or lists all of them.
func (a *asking) explain(code string) (deploy.Outcome, error) {
	all, err := meanings()
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	if code == "" {
		return deploy.OutcomeDone, a.listCodes(all)
	}
	m, known := all[fullCode(code)]
	if !known {
		return deploy.OutcomeRefused, unknownCode(code, all)
	}
	a.sayf("%s\n\n  means  %s\n  why    %s\n  do     %s", m.Code, m.Means, m.Why, m.Do)
	if !a.json {
		return deploy.OutcomeDone, nil
	}
	return deploy.OutcomeDone, a.object(struct {
		head
		meaning
	}{a.head("explain"), m})
}

func (a *asking) listCodes(all map[string]meaning) error {
	t := ui.Table{Head: []string{"code", "means"}}
	list := []meaning{}
	for _, code := range sortedKeys(all) {
		list = append(list, all[code])
		t.Add(code, all[code].Means)
	}
	a.say(t.Lines()...)
	if !a.json {
		return nil
	}
	return a.object(struct {
		head
		Codes []meaning `json:"codes"`
	}{a.head("explain"), list})
}

const firm = "FD" + "-"

// fullCode is the code that was meant by one copied in brackets, in small letters or
// without what all begin with.
func fullCode(code string) string {
	code = strings.ToUpper(strings.Trim(code, "[]"))
	return firm + strings.TrimPrefix(code, firm)
}

func unknownCode(code string, all map[string]meaning) error {
	hint := `"flipdeploy explain" lists them`
	if meant := inventory.Nearest(fullCode(code), sortedKeys(all)); meant != "" {
		hint = `did you mean "flipdeploy explain ` + meant + `"?`
	}
	return &usageError{text: fmt.Sprintf("there is no code %q", code), hint: hint}
}
