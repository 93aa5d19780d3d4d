package cli

import (
	"slices"

	ucli "github.com/urfave/cli/v2"
)

// wordsToComplete are all that a completion script knows.
type wordsToComplete struct {
	Names    []string // of commands
	Common   []string // flags before any command
	Valued   []string // flags with a value
	Files    []string // those whose value is a file
	Choices  []flagChoice
	Commands []commandWords
}

type flagChoice struct {
	Flag  string
	Words []string
}

type commandWords struct {
	Name, Usage string
	Flags       []string
	Described   []describedFlag
	Words       []string // arguments
}

type describedFlag struct{ Flag, Usage string }

func completed(app *ucli.App) (w wordsToComplete, err error) {
	codes, err := meanings()
	arguments := map[string][]string{"explain": sortedKeys(codes), "completion": shells, "move": moveTo}
	for _, c := range app.Commands {
		cw := commandWords{Name: c.Name, Usage: c.Usage, Words: arguments[c.Name]}
		for _, f := range append(ownFlagsOf(c), ucli.HelpFlag) {
			cw.add(f)
			w.sort(f)
		}
		arguments["help"] = append(arguments["help"], c.Name) // the last of all
		w.Names, w.Commands = append(w.Names, c.Name), append(w.Commands, cw)
	}
	for _, f := range append(commonFlags(), ucli.HelpFlag) {
		w.Common = append(w.Common, asWritten(f)...)
	}
	return w, err
}

// ownFlagsOf are the visible ones without that for help, which the library gives only
// to the command that runs.
func ownFlagsOf(c *ucli.Command) []ucli.Flag {
	return slices.DeleteFunc(c.VisibleFlags(), func(f ucli.Flag) bool { return f.Names()[0] == "help" })
}

func (c *commandWords) add(f ucli.Flag) {
	usage := ""
	if doc, ok := f.(ucli.DocGenerationFlag); ok {
		usage = doc.GetUsage()
	}
	for _, name := range asWritten(f) {
		c.Flags = append(c.Flags, name)
		c.Described = append(c.Described, describedFlag{name, usage})
	}
}

// sort puts a flag where what follows it is known.
func (w *wordsToComplete) sort(f ucli.Flag) {
	names := asWritten(f)
	if doc, ok := f.(ucli.DocGenerationFlag); !ok || !doc.TakesValue() || slices.Contains(w.Valued, names[0]) {
		return
	}
	w.Valued = append(w.Valued, names...)
	if s, ok := f.(*ucli.StringFlag); ok && s.TakesFile {
		w.Files = append(w.Files, names...)
	}
	if words := choices[f.Names()[0]]; words != nil {
		w.Choices = append(w.Choices, flagChoice{names[0], words})
	}
}

// asWritten are a flag's names as they are written.
func asWritten(f ucli.Flag) []string {
	var names []string
	for _, n := range f.Names() {
		names = append(names, dashed(n))
	}
	return names
}
