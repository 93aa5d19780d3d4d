package ui

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// A CI is a system that runs us and makes more of some lines than text. What these are
// made of was cleaned before: nobody else's words become a command.
type CI struct {
	System  string // github, gitlab, "" for none that is known
	Summary string // a file that GitHub shows as Markdown, "" for none
}

func ciOf(env func(string) string) CI {
	switch {
	case env("GITHUB_ACTIONS") == "true":
		return CI{"github", env("GITHUB_STEP_SUMMARY")}
	case env("GITLAB_CI") == "true":
		return CI{System: "gitlab"}
	}
	return CI{}
}

// A folder folds what is long and rarely read: the staging of every host.
type folder struct {
	CI
	open bool
}

// fold is lines with what opens the fold before the first of staging, and closes it
// before whatever else is said.
func (f *folder) fold(e deploy.Event, lines []string) []string {
	staging := e.Kind == deploy.KindHost && (e.Phase == deploy.Staging || e.Phase == deploy.Staged)
	if f.System == "" || len(lines) == 0 || staging == f.open {
		return lines
	}
	if staging {
		f.open = true
		return append([]string{f.mark("start")}, lines...)
	}
	return append(f.close(), lines...)
}

// close is what ends a fold that is open.
func (f *folder) close() []string {
	if !f.open {
		return nil
	}
	f.open = false
	return []string{f.mark("end")}
}

func (f *folder) mark(which string) string {
	switch {
	case f.System == "github" && which == "start":
		return "::group::stage"
	case f.System == "github":
		return "::endgroup::"
	case which == "start":
		return fmt.Sprintf("\x1b[0Ksection_start:%d:flipdeploy_stage[collapsed=true]\r\x1b[0Kstage", time.Now().Unix())
	}
	return fmt.Sprintf("\x1b[0Ksection_end:%d:flipdeploy_stage\r\x1b[0K", time.Now().Unix())
}

// annotation is the line by which GitHub shows an error or a warning beside the run.
func (c CI) annotation(kind, title, text, hint string) []string {
	if c.System != "github" {
		return nil
	}
	if hint != "" {
		text += "\nhint: " + hint
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	return []string{"::" + kind + " title=" + property.Replace(title) + "::" + data.Replace(text)}
}

// annotate is the annotation of an event, if it has one.
func (c CI) annotate(e deploy.Event) []string {
	if e.Kind != deploy.KindError && e.Kind != deploy.KindWarning {
		return nil
	}
	return c.annotation(string(e.Kind), joined(" ", or(e.Host, or(e.LB, "flipdeploy")), e.Code), e.Detail, e.Hint)
}

// Annotate shows an error that no event told of beside the run, where a CI system can.
func Annotate(w io.Writer, env func(string) string, err error) {
	for _, err := range split(err) {
		f := faultOf(err)
		writeLines(w, ciOf(env).annotation("error", joined(" ", "flipdeploy", f.code), f.text, f.hint))
	}
}

// summarize adds the result to the page of the run.
func (c CI) summarize(app string, r deploy.Result) {
	if c.Summary == "" {
		return
	}
	f, err := os.OpenFile(c.Summary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return // as with a screen that is gone
	}
	_, _ = io.WriteString(f, summary(app, r))
	_ = f.Close()
}

// mostSummary is well below the size from which on GitHub shows nothing of a page.
const mostSummary = 512 << 10

// worstFirst are the hosts, those that are done last.
func worstFirst(r deploy.Result) []string {
	return slices.SortedFunc(maps.Keys(r.Hosts), func(a, b string) int {
		return cmp.Or(rank(r.Hosts[a])-rank(r.Hosts[b]), cmp.Compare(a, b))
	})
}

func rank(h deploy.HostResult) int {
	if lookOf(h.Phase) == ill {
		return 0
	}
	if lookOf(h.Phase) == well {
		return 2
	}
	return 1
}

// summary is HTML in one block, without an empty line, so that no Markdown is read in it.
func summary(app string, r deploy.Result) string {
	esc := func(s string) string { return html.EscapeString(strings.ReplaceAll(s, "\n", "; ")) }
	var b strings.Builder
	fmt.Fprintf(&b, "\n<h3>%s: %s</h3>\n", esc(string(r.Outcome)), esc(lastLine(app, r)))
	if r.Error != "" {
		fmt.Fprintf(&b, "<p><code>%s</code> %s</p>\n<p>next: %s</p>\n", esc(r.Code), esc(r.Error), esc(or(r.Hint, "-")))
	}
	if len(r.Hosts) == 0 {
		return b.String()
	}
	b.WriteString("<table><tr><th>host</th><th>phase</th><th>release</th><th>out</th><th>why</th></tr>\n")
	for i, name := range worstFirst(r) {
		if b.Len() > mostSummary {
			fmt.Fprintf(&b, "<tr><td>and %d more</td></tr>\n", len(r.Hosts)-i)
			break
		}
		h, gone := r.Hosts[name], ""
		if h.OutMS > 0 {
			gone = duration(time.Duration(h.OutMS) * time.Millisecond)
		}
		fmt.Fprintf(&b, "<tr><td><code>%s</code></td><td>%s</td><td><code>%s</code></td><td>%s</td><td>%s</td></tr>\n",
			esc(name), esc(string(h.Phase)), esc(or(h.Release, "-")), gone, esc(joined(" ", h.Code, h.Reason)))
	}
	return b.String() + "</table>\n"
}
