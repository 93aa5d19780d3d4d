package ui

import (
	"os"

	"golang.org/x/term"
)

// Detect tells what out and err are good for. A live screen needs a terminal that
// can erase a line and a person before it, which a CI system is not.
func Detect(out, err *os.File, env func(string) string) Options {
	fd := int(err.Fd())
	able := term.IsTerminal(fd) && env("TERM") != "" && env("TERM") != "dumb"
	return Options{
		Out: out, Err: err,
		Live:  able && !inCI(env),
		Color: able && env("NO_COLOR") == "",
		Width: func() int { return columns(fd) },
		CI:    ciOf(env),
	}
}

func inCI(env func(string) string) bool {
	for _, name := range []string{"CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD"} {
		if v := env(name); v != "" && v != "false" && v != "0" {
			return true
		}
	}
	return false
}

func columns(fd int) int {
	if w, _, err := term.GetSize(fd); err == nil && w > 0 {
		return w
	}
	return 80
}
