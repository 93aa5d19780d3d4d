package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	"github.com/flipdeploy/flipdeploy/remote"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) trustCommand() *ucli.Command {
	return &ucli.Command{
		Name: "trust", Usage: "show unknown host keys and, confirmed, write them to known_hosts",
		Flags: []ucli.Flag{yesFlag()},
		Action: func(c *ucli.Context) error {
			return x.asks(func(ctx context.Context, a *asking) (deploy.Outcome, error) { return a.trust(ctx, c.Bool("yes")) })(c)
		},
	}
}

// trust writes unknown keys once a person has seen them: first those of machines that
// others are reached through. A changed or revoked key stops all of it: somebody may be
// in between. Machines that do not answer are told, and the others are dealt with all the
// same.
func (a *asking) trust(ctx context.Context, yes bool) (deploy.Outcome, error) {
	levels, all, wrote := append(a.net.levels(), slices.Concat(a.edges, a.webs)), 0, false
	for _, level := range levels {
		outcome, err := a.trustAll(ctx, level, yes)
		if err != nil {
			return outcome, err
		}
		all += len(level)
		wrote = wrote || outcome == deploy.OutcomeDone
	}
	if wrote {
		return deploy.OutcomeDone, nil
	}
	a.sayf("all %d machines are known", all)
	return deploy.OutcomeNothing, nil
}

// trustAll is trust for machines that can all be asked now.
func (a *asking) trustAll(ctx context.Context, machines []*remote.Machine, yes bool) (deploy.Outcome, error) {
	keys, silent := hostKeys(ctx, machines)
	news := slices.DeleteFunc(slices.Clone(keys), func(k remote.OfferedKey) bool { return k.Trust == remote.TrustKnown })
	if err := a.showKeys(keys, news); err != nil {
		return deploy.OutcomeRefused, err
	}
	if err := changed(keys); err != nil {
		return deploy.OutcomeRefused, errors.Join(err, silent)
	}
	if len(news) == 0 {
		return deploy.OutcomeNothing, silent
	}
	a.say("", "compare them with those on the machines: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
	files := filesOf(machines, news)
	if err := a.confirm(yes, question(news, files)); err != nil {
		return deploy.OutcomeRefused, errors.Join(err, silent)
	}
	for _, file := range sortedKeys(files) {
		n, err := remote.WriteKnownHosts(file, files[file])
		if err != nil {
			return deploy.OutcomeRefused, errors.Join(err, silent)
		}
		a.sayf("%d lines added to %s", n, file)
	}
	return deploy.OutcomeDone, silent
}

// hostKeys asks machines side by side, in their order.
func hostKeys(ctx context.Context, machines []*remote.Machine) ([]remote.OfferedKey, error) {
	all := make([][]remote.OfferedKey, len(machines))
	err := eachIndex(machines, func(i int, m *remote.Machine) (err error) {
		all[i], err = m.HostKeys(ctx)
		return named(m.Name(), err)
	})
	return slices.Concat(all...), err
}

// A keyLine is one host key for a program.
type keyLine struct {
	head
	Machine     string       `json:"host"`
	Address     string       `json:"address"`
	Type        string       `json:"type"`
	Fingerprint string       `json:"fingerprint"`
	Trust       remote.Trust `json:"trust"`
}

// showKeys shows a person those that are not known, a program all.
func (a *asking) showKeys(keys, news []remote.OfferedKey) error {
	t := ui.Table{Head: []string{"machine", "address", "type", "fingerprint", "is"}}
	for _, k := range news {
		t.Add(k.Machine, k.Addr, k.Type(), k.Fingerprint(), string(k.Trust))
	}
	if len(news) > 0 {
		a.say(t.Lines()...)
	}
	if !a.json {
		return nil
	}
	for _, k := range keys {
		if err := a.object(keyLine{a.head("trust"), k.Machine, k.Addr, k.Type(), k.Fingerprint(), k.Trust}); err != nil {
			return err
		}
	}
	return nil
}

// changed are the keys that are not the known ones, each with file and line and the
// command that forgets the old one.
func changed(keys []remote.OfferedKey) error {
	var errs []error
	for _, k := range keys {
		if k.Err == nil || k.Trust == remote.TrustUnknown {
			continue
		}
		hint := k.Err.Hint()
		if k.Trust == remote.TrustChanged {
			hint = fmt.Sprintf("somebody may be in between. Only if you know why the key changed, forget the old one: ssh-keygen -R %q -f %s; then \"flipdeploy trust\" again",
				k.Field(), k.Err.Known[0].File)
		}
		errs = append(errs, &deploy.Fault{Host: k.Machine, Code_: k.Err.Code(), Err: errors.New(k.Err.Error()), Hint_: hint})
	}
	return errors.Join(errs...)
}

// filesOf are the keys by the known_hosts file that they belong in.
func filesOf(machines []*remote.Machine, keys []remote.OfferedKey) map[string][]remote.OfferedKey {
	file := map[string]string{}
	for _, m := range machines {
		file[m.Name()] = m.KnownHosts()
	}
	by := map[string][]remote.OfferedKey{}
	for _, k := range keys {
		by[file[k.Machine]] = append(by[file[k.Machine]], k)
	}
	return by
}

func question(keys []remote.OfferedKey, files map[string][]remote.OfferedKey) string {
	names := sortedKeys(files)
	return fmt.Sprintf("Write these %d keys to %s?", len(keys), joinWords(names))
}

func joinWords(names []string) string {
	text := ""
	for i, n := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " and "
		default:
			text += ", "
		}
		text += n
	}
	return text
}
