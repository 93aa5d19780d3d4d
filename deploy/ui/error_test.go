package ui

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

func TestPrintError(t *testing.T) {
	row := func(text string) error {
		return &deploy.Fault{Code_: "FD-INVENTORY", Err: errors.New(text), Hint_: "mend inventory.toml"}
	}
	drain := &deploy.Fault{Host: "web3", Phase: deploy.Draining, Code_: "FD-DRAIN-TIMEOUT", Err: errors.New("still 12 sessions after 30s"),
		Hint_: "wait, or set rollout.on_drain_timeout", Evidence_: []string{"edge1: 12 sessions", "\x1b[2J"}}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"whole", drain, `
flipdeploy: web3: drain: still 12 sessions after 30s [FD-DRAIN-TIMEOUT]
            | edge1: 12 sessions
            | \x1b[2J
flipdeploy: hint: wait, or set rollout.on_drain_timeout
`},
		{"wrapped", fmt.Errorf("rollout 7f3a: %w", drain), `
flipdeploy: rollout 7f3a: web3: drain: still 12 sessions after 30s [FD-DRAIN-TIMEOUT]
            | edge1: 12 sessions
            | \x1b[2J
flipdeploy: hint: wait, or set rollout.on_drain_timeout
`},
		{"without a code", errors.New("oops"), "flipdeploy: oops [FD-INTERNAL]\n"},
		{"joined", errors.Join(row("inventory.toml:14: port: 80800 is no port"), errors.Join(row("inventory.toml:22: name: twice"), drain)), `
flipdeploy: inventory.toml:14: port: 80800 is no port [FD-INVENTORY]
flipdeploy: inventory.toml:22: name: twice [FD-INVENTORY]
flipdeploy: hint: mend inventory.toml
flipdeploy: web3: drain: still 12 sessions after 30s [FD-DRAIN-TIMEOUT]
            | edge1: 12 sessions
            | \x1b[2J
flipdeploy: hint: wait, or set rollout.on_drain_timeout
`},
		{"a join in a sentence", fmt.Errorf("undo: %w", errors.Join(errors.New("one"), errors.New("two"))), `
flipdeploy: undo: one [FD-INTERNAL]
flipdeploy: two
`},
		{"two in a sentence", fmt.Errorf("%w, and then %w", errors.New("one"), drain), `
flipdeploy: one, and then web3: drain: still 12 sessions after 30s [FD-DRAIN-TIMEOUT]
            | edge1: 12 sessions
            | \x1b[2J
flipdeploy: hint: wait, or set rollout.on_drain_timeout
`},
	} {
		var b bytes.Buffer
		PrintError(&b, c.err)
		wantText(t, c.name, b.String(), c.want)
	}
}
