package proc

import (
	"context"
	"fmt"
	"strings"
)

// Rights are what the SSH user needs of root on a host.
type Rights struct {
	User string
	Sudo []string // commands with full paths, for SudoersLine
	Root []string // why these rights amount to root, in words
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
	return Rights{User: strings.Join(said["user"], ""), Sudo: said["needs"], Root: said["root"]}, nil
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

// A word of a command that stands for others: any process, its files under /proc.
var patterns = strings.NewReplacer("<pid>", "[0-9]*", "<proc>", "/proc/[0-9]*")

// Everything that sudoers reads otherwise than it stands there.
var sudoersWords = strings.NewReplacer(`\`, `\\`, ",", `\,`, ":", `\:`, "=", `\=`, "#", `\#`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)

// SudoersLine lets user run command as root without a password. The command is as it
// would be typed, its program by the full path and without quotes.
func SudoersLine(user, command string) string {
	return sudoersWords.Replace(user) + " ALL=(root) NOPASSWD: " + patterns.Replace(sudoersWords.Replace(command))
}
