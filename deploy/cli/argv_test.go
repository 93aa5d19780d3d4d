package cli

import (
	"slices"
	"strings"
	"testing"

	ucli "github.com/urfave/cli/v2"
	"pgregory.net/rapid"
)

// A line is a command line, with what normalise must make of it.
type line struct {
	words, flags, args []string
}

// lines draws command lines of real flags in all their forms, unknown flags and
// arguments, in any order, sometimes with "--" and anything after it.
func lines(all []*ucli.Command) *rapid.Generator[line] {
	return rapid.Custom(func(t *rapid.T) line {
		l := line{}
		for range rapid.IntRange(0, 8).Draw(t, "words") {
			if rapid.Bool().Draw(t, "flag") {
				l.flag(t, all)
				continue
			}
			l.arg(rapid.SampledFrom([]string{"rollout", "version", "x", "-", "", "a=b", "v1"}).Draw(t, "argument"))
		}
		if len(l.args) > 0 && rapid.Bool().Draw(t, "end of flags") {
			l.words = append(l.words, "--")
			for _, w := range rapid.SliceOf(rapid.SampledFrom([]string{"x", "--", "--json", "-i", "--nope"})).Draw(t, "after") {
				l.arg(w)
			}
		}
		return l
	})
}

func (l *line) arg(word string) {
	l.words, l.args = append(l.words, word), append(l.args, word)
}

func (l *line) flag(t *rapid.T, all []*ucli.Command) {
	f := rapid.SampledFrom(slices.Concat(rapid.SampledFrom(all).Draw(t, "command").Flags, []ucli.Flag{nil})).Draw(t, "which")
	var words []string
	switch f := f.(type) {
	case nil:
		words = []string{rapid.SampledFrom([]string{"--nope", "--nope=x", "-x", "---"}).Draw(t, "unknown")}
	case *ucli.BoolFlag:
		words = []string{rapid.SampledFrom(names(f)).Draw(t, "name") + rapid.SampledFrom([]string{"", "=true", "=false"}).Draw(t, "value")}
	default:
		name := rapid.SampledFrom(names(f)).Draw(t, "name")
		value := rapid.SampledFrom([]string{"v", "-", "rollout", "a=b"}).Draw(t, "value")
		words = []string{name, value}
		if rapid.Bool().Draw(t, "joined") {
			words = []string{name + "=" + rapid.SampledFrom([]string{value, "--json", "-1"}).Draw(t, "dashed")}
		}
	}
	l.words, l.flags = append(l.words, words...), append(l.flags, words...)
}

func TestNormaliseKeepsEveryWordInItsPlace(t *testing.T) {
	all := commands(t)
	rapid.Check(t, func(t *rapid.T) {
		l := lines(all).Draw(t, "line")
		got, err := normalise(append([]string{"prog"}, l.words...), all)
		if err != nil {
			t.Fatalf("%q: %v", l.words, err)
		}
		want := []string{"prog"}
		if len(l.args) > 0 {
			want = append(want, l.args[0])
		}
		want = append(want, l.flags...)
		if len(l.args) > 1 {
			want = append(append(want, "--"), l.args[1:]...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q became\n%q, want\n%q", l.words, got, want)
		}
		again, err := normalise(slices.Clone(got), all)
		if err != nil || !slices.Equal(again, got) {
			t.Fatalf("%q became %q, and that %q: %v", l.words, got, again, err)
		}
	})
}

// Whatever is written: it never panics, never changes what it was given, and what
// it makes is refused or stays as it is when it is made again.
func TestNormaliseOfAnything(t *testing.T) {
	all := commands(t)
	word := rapid.OneOf(rapid.String(), rapid.StringMatching(`-{0,3}[a-z-]{0,4}=?[a-z]{0,3}`),
		rapid.SampledFrom([]string{"--", "-", "", "-i", "--json", "--parallel", "rollout"}))
	rapid.Check(t, func(t *rapid.T) {
		words := append([]string{"prog", "rollout"}, rapid.SliceOf(word).Draw(t, "words")...)
		before := slices.Clone(words)
		got, err := normalise(words, all)
		if !slices.Equal(words, before) {
			t.Fatalf("%q was changed to %q", before, words)
		}
		if err != nil {
			if !strings.Contains(err.Error(), " needs a value") && !strings.Contains(err.Error(), "unknown command") {
				t.Fatalf("%q: %v", words, err)
			}
			return
		}
		again, err := normalise(slices.Clone(got), all)
		if err != nil || !slices.Equal(again, got) {
			t.Fatalf("%q became %q, and that %q: %v", words, got, again, err)
		}
	})
}

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ words, want string }{
		{"", "prog"},
		{"rollout", "prog rollout"},
		{"rollout ./app --parallel 2", "prog rollout --parallel 2 -- ./app"},
		{"--json rollout -i x", "prog rollout --json -i x"},
		{"-i rollout rollback", "prog rollback -i rollout"},
		{"rollout --parallel=2 -q a b", "prog rollout --parallel=2 -q -- a b"},
		{"rollout -- --json", "prog rollout -- --json"},
		{"rollout -- --", "prog rollout -- --"},
		{"rollout --", "prog rollout"},
		{"rollout --revision=--json", "prog rollout --revision=--json"},
		{"--help", "prog --help"},
		{"rollout --nope x", "prog rollout --nope -- x"},
		{"rollout -", "prog rollout -- -"},
		{"help", "prog --help"},
		{"h --json rollout", "prog rollout --json --help"},
	} {
		got, err := normalise(append([]string{"prog"}, strings.Fields(c.words)...), commands(t))
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q became %q, want %q (%v)", c.words, got, c.want, err)
		}
	}
}
