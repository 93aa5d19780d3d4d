package ui

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/schollz/progressbar/v3"
)

// A bar draws one line from two numbers. It is never in the way of the data: a
// progressbar refuses numbers beyond its end, is done for good once it got there,
// and redraws at every call, so it is fed clamped, made anew to go back, and asked
// ten times a second.
type bar struct {
	*progressbar.ProgressBar
	frame lastFrame
	key   barKey
	at    int64
	end   int64
}

type barKey struct {
	title string
	bytes bool
	cols  int
}

// lastFrame keeps what the progressbar would have put on a terminal.
type lastFrame struct{ text string }

func (f *lastFrame) Write(p []byte) (int, error) {
	f.text = strings.Trim(strings.ReplaceAll(string(p), "\x1b[0K", ""), "\r")
	return len(p), nil
}

func (b *bar) draw(key barKey, at, end int64) string {
	at = max(0, min(at, end))
	switch {
	case b.ProgressBar == nil || key != b.key || at < b.at || b.at == b.end && end != b.end:
		b.ProgressBar, b.key = b.made(key, end), key
	case end != b.end:
		b.ChangeMax64(end) // it goes on with the rate that it knows
	}
	b.at, b.end = at, end
	_ = b.Set64(at) // it complains of numbers past its end only
	if key.cols < narrow {
		return strings.TrimRight(drawing.ReplaceAllString(b.frame.text, ""), " ")
	}
	return strings.TrimRight(b.frame.text, " ")
}

// On few columns numbers and words say more than a drawing of them.
const narrow = 60

var drawing = regexp.MustCompile(`\[[=> ]*\] `)

func (b *bar) made(key barKey, end int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(end,
		progressbar.OptionSetWriter(&b.frame), // not a terminal: no width is guessed, nothing synced
		progressbar.OptionUseANSICodes(true),  // else it erases with spaces
		progressbar.OptionSetDescription(key.title),
		progressbar.OptionSetWidth(max(5, min(30, key.cols-50))),
		progressbar.OptionShowCount(), // without it a number that changes nothing is not drawn
		progressbar.OptionShowBytes(key.bytes),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}),
	)
}

// frame is the line at the bottom now, "" for none: bytes while staging, then
// hosts that are finished, and those under way.
func (u *UI) frame() string {
	cols := 80
	if u.o.Width != nil {
		cols = u.o.Width()
	}
	sent, total := u.flow.now()
	switch {
	case u.story.flipping():
		done, all := u.story.finished()
		line := u.bar.draw(barKey{"flipping", false, cols}, int64(done), int64(all))
		line = joined("  ", line, u.story.underWay())
		if with := line + "  " + u.story.tally(); fit(with, cols) == with { // who is under way matters more
			line = with
		}
		return fit(line, cols)
	case total > 0:
		return fit(joined("  ", u.bar.draw(barKey{"staging", true, cols}, sent, total), u.flow.ahead()), cols)
	}
	return ""
}

// flipping: some host is past staging.
func (s *story) flipping() bool {
	for _, st := range s.hosts {
		if st.phase != "" && st.phase != deploy.Pending && st.phase != deploy.Staging && st.phase != deploy.Staged {
			return true
		}
	}
	return false
}

// tally is `serving 3, out 1, errors 0, 12s`: hosts that serve as the balancers see it,
// hosts out by our hand, errors told, time since the start.
func (s *story) tally() string {
	n := 0
	for _, st := range s.hosts {
		if out(st.phase) {
			n++
		}
	}
	serving := ""
	if s.serving != nil {
		serving = fmt.Sprintf("serving %d", *s.serving)
	}
	return joined(", ", serving, fmt.Sprintf("out %d, errors %d, %s", n, s.errors, whole(time.Since(s.began))))
}

// finished counts the hosts that came to an end, and all.
func (s *story) finished() (done, all int) {
	for _, st := range s.hosts {
		if l := lookOf(st.phase); l == well || l == ill || l == notable {
			done++
		}
	}
	return done, len(s.hosts)
}

// fit cuts line so that it cannot wrap: a wrapped line cannot be erased.
func fit(line string, cols int) string {
	line = strings.TrimRight(line, " ")
	used := 0
	for i, r := range line {
		if used += cells(r); used > cols-1 {
			return line[:i]
		}
	}
	return line
}

// cells is how wide r is, rather too wide than too narrow.
func cells(r rune) int {
	if r < 0x1100 {
		return 1
	}
	return 2
}
