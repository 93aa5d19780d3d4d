package proc

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Rights are what the SSH user needs of root on a host.
type Rights struct {
	User    string
	Sudoers []string // lines for sudoers
	Root    []string // why these rights amount to root, in words
}

// Rights tells which commands go through sudo here, as things stand, whether they are
// allowed or not; none where they need not. It changes nothing.
func (a *App) Rights(ctx context.Context) (Rights, error) {
	f, err := a.look(ctx)
	if err != nil {
		return Rights{}, fmt.Errorf("processes: %w", err)
	}
	s, _ := a.cfg.locate(f) // which of several is the app is told by Check
	out, err := a.run.Run(ctx, header(a.rightsVars(ctx, f, s))+checkScript)
	if err != nil {
		return Rights{}, fmt.Errorf("processes: %w", err)
	}
	said := answers(out)
	r := Rights{User: strings.Join(said["user"], ""), Root: said["root"]}
	p := patterns(said)
	for _, command := range said["needs"] {
		if line := SudoersLine(r.User, command, p); !slices.Contains(r.Sudoers, line) {
			r.Sudoers = append(r.Sudoers, line)
		}
	}
	return r, nil
}

// answers are the lines of a script that begin with a word each, by that word.
func answers(out []byte) map[string][]string {
	said := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		said[word] = append(said[word], rest)
	}
	return said
}

// Patterns are what a sudo reads in a line's arguments.
type Patterns int

const (
	Wildcards  Patterns = iota // older: what follows is taken in, spaces too
	Regexps                    // sudo 1.9.10 and later
	NoPatterns                 // sudo-rs: a program with these arguments, or with any
)

// patterns of the sudo that answered. A file with a regular expression is a broken one for a
// sudo that does not know these.
func patterns(said map[string][]string) Patterns {
	if len(said["sudo-rs"]) > 0 {
		return NoPatterns
	}
	var a, b, c int
	_, err := fmt.Sscanf(strings.Join(said["Sudo"], ""), "version %d.%d.%d", &a, &b, &c)
	if err == nil && slices.Compare([]int{a, b, c}, []int{1, 9, 10}) >= 0 {
		return Regexps
	}
	return Wildcards
}

// A process has at most seven digits. What is longer, kill(1) cuts down, to -1 as well; 0 is
// every process of a group.
const number = "[1-9][0-9]?[0-9]?[0-9]?[0-9]?[0-9]?[0-9]?"

// Words of a command that stand for others: any process, and what is read of some under /proc.
var (
	wildcards = strings.NewReplacer("<pid>", "[0-9]*", "<exe>", "/proc/[0-9]*", "<exes>", "/proc/[0-9]*", "<links>", "/proc/[0-9]*")
	regexps   = strings.NewReplacer("<pid>", number, "<exe>", "/proc/"+number+"/exe", " <exes>", "( /proc/"+number+"/exe)+",
		" <links>", "( /proc/"+number+"/(exe|cwd|fd/))+")
)

// Everything that sudoers reads otherwise than it stands there. For sudo-rs (0.2.5) a file
// that escapes more is broken.
var (
	signs = []string{`\`, `\\`, ",", `\,`, ":", `\:`, "=", `\=`, "#", `\#`}
	plain = strings.NewReplacer(signs...)
	globs = strings.NewReplacer(append(signs, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)...)
)

// SudoersLine lets user run command as root without a password. The command is as it
// would be typed, its program by the full path and without quotes. Words that stand for others
// take in as little as the patterns of that sudo can say.
func SudoersLine(user, command string, p Patterns) string {
	line := plain.Replace(user) + " ALL=(root) NOPASSWD: "
	program, args, _ := strings.Cut(command, " ")
	like := strings.HasPrefix(args, "^") && strings.HasSuffix(args, "$") // an expression of its own, to that sudo
	switch stand := wildcards.Replace(args) != args; {
	case p == Regexps && (stand || like):
		quoted := strings.ReplaceAll(regexp.QuoteMeta(args), "#", `\#`)
		return line + globs.Replace(program) + " ^" + regexps.Replace(quoted) + "$"
	case p == NoPatterns && stand:
		return line + plain.Replace(program)
	case p == NoPatterns:
		return line + plain.Replace(command)
	}
	return line + wildcards.Replace(globs.Replace(command))
}
