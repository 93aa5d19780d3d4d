package cli

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

//go:embed report.html
var reportPage string

// write makes the page. Names and words of machines are made harmless for a reader of
// text first, then escaped for where they stand.
func (r report) write(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"say":   func(s string) string { return ui.Line("%s", s) },
		"class": classOf,
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	return t.Execute(w, r)
}

// classOf is the colour of a phase; one that is not known has that of none.
func classOf(phase string) string {
	switch phase {
	case "draining", "drained", "flipping", "reloading", "verifying", "readying", "baking", "failed":
		return phase
	}
	return "other"
}
