package cli

import (
	"fmt"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"
)

// normalise lets flags stand anywhere: urfave/cli v2 silently ignores those after
// an argument (urfave/cli#1177), so `rollout ./app --parallel 2` would run with
// parallel 1. The result is prog, command, flags, "--", arguments. A flag that
// takes a value never takes another flag for it.
func normalise(argv []string, commands []*ucli.Command) ([]string, error) {
	var flags, args []string
	rest := argv[1:]
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		switch {
		case word == "--":
			args, rest = append(args, rest...), nil
		case len(word) < 2 || word[0] != '-':
			args = append(args, word)
		case emptied(word, rest, commands):
			return nil, usage("%s needs a value, and got an empty one", strings.TrimSuffix(word, "="))
		case strings.Contains(word, "=") || !takesValue(word, commands):
			flags = append(flags, word)
		case len(rest) == 0:
			return nil, usage("%s needs a value", word)
		case len(rest[0]) > 1 && rest[0][0] == '-':
			return nil, usage("%s needs a value, and %s looks like a flag; write %s=%s when it is meant", word, rest[0], word, rest[0])
		default:
			flags, rest = append(flags, word, rest[0]), rest[1:]
		}
	}
	if len(args) > 0 && (args[0] == "help" || args[0] == "h") { // the library's own answers faults on stdout
		args, flags = args[1:], append(flags, "--help")
	}
	out := []string{argv[0]}
	if len(args) == 0 {
		return append(out, flags...), nil
	}
	if strings.HasPrefix(args[0], "-") && args[0] != "-" { // "-- --json": not a flag
		return nil, unknownCommand(args[0], commands)
	}
	if err := foreign(args[0], args[1:], commands); err != nil {
		return nil, err
	}
	out = append(append(out, args[0]), flags...)
	if len(args) > 1 {
		out = append(append(out, "--"), args[1:]...)
	}
	return out, nil
}

// foreign refuses arguments that no host and no rollout is called: one that begins
// with - is a flag gone astray, an empty one a variable of the shell that is not set.
// Commands without arguments refuse every one.
func foreign(name string, args []string, commands []*ucli.Command) error {
	for _, c := range commands {
		if c.Name != name || c.ArgsUsage == "" {
			continue
		}
		for _, arg := range args {
			switch {
			case arg == "":
				return usage("%s got an empty argument: is a variable of the shell not set?", name)
			case arg[0] == '-':
				return usage("%s: %q is no argument: it begins with -", name, arg)
			}
		}
	}
	return nil
}

// emptied: a value was meant, and a variable of the shell was not set. Without it
// `rollback --to "$TAG"` would go one step back.
func emptied(word string, rest []string, commands []*ucli.Command) bool {
	name, value, joined := strings.Cut(word, "=")
	if !takesValue(name, commands) {
		return false
	}
	return joined && value == "" || !joined && len(rest) > 0 && rest[0] == ""
}

// takesValue: the flag is known to some command as one with a value.
func takesValue(word string, commands []*ucli.Command) bool {
	name := strings.TrimLeft(word, "-")
	for _, c := range commands {
		for _, f := range c.Flags {
			if slices.Contains(f.Names(), name) {
				_, isBool := f.(*ucli.BoolFlag)
				return !isBool
			}
		}
	}
	return false
}

// noArguments refuses what stands where no argument belongs.
func noArguments(c *ucli.Context) error {
	if c.NArg() == 0 {
		return nil
	}
	return usage("%s takes no arguments, and got %q", c.Command.Name, c.Args().First())
}

// noEmptyArguments refuses what a variable of the shell that was not set leaves.
func noEmptyArguments(c *ucli.Context) error {
	if slices.Contains(c.Args().Slice(), "") {
		return usage("%s got an empty argument", c.Command.Name)
	}
	return nil
}

// A usageError is a command line that cannot be meant: exit code 2.
type usageError struct{ text, hint string }

func usage(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...), hint: `see "flipdeploy help"`}
}

func (e *usageError) Error() string { return e.text }
func (e *usageError) Code() string  { return "FD-USAGE" }
func (e *usageError) Hint() string  { return e.hint }
