package lb

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// What an edit adds: the flag before the semicolon, the mark behind it. Where more
// follows on the line the mark brings a line end of its own: a comment would hide it.
const (
	downFlag  = " down"
	markWord  = " # flipdeploy:"
	brokeLine = " (line broken here)\n"
)

var markAfter = regexp.MustCompile(`^ # flipdeploy:([A-Za-z0-9][A-Za-z0-9-]*)( \(line broken here\)\n)?`)

// A confMark is our flag on a server line, as it stands in the text.
type confMark struct {
	rollout string // "" when the flag is not ours, or not there
	after   int    // bytes of the mark behind the semicolon
	orphan  bool   // our mark without our flag: a person took the flag away
}

// markOf reads the mark of a directive. The flag is ours when it stands as we write
// it; one that a person moved is a person's.
func markOf(d *directive) confMark {
	text := d.file.text
	m := markAfter.FindStringSubmatch(text[d.end+1:])
	if m == nil {
		return confMark{}
	}
	last := d.words[len(d.words)-1]
	flagged := last.end == d.end && len(d.words) > 2 && strings.HasSuffix(text[:d.end], downFlag) && last.start == d.end-4
	if !flagged {
		return confMark{orphan: true}
	}
	return confMark{rollout: m[1], after: len(m[0])}
}

// A splice takes cut bytes away at an offset and puts text there.
type splice struct {
	at, cut int
	text    string
}

// takeOut flags a line and leaves the mark of rollout.
func (l *serverLine) takeOut(rollout string) []splice {
	mark := markWord + rollout
	rest, _, _ := strings.Cut(l.at.file.text[l.at.end+1:], "\n")
	if rest = strings.Trim(rest, " \t\r"); rest != "" && rest[0] != '#' {
		mark += brokeLine
	}
	return []splice{{at: l.at.end, text: downFlag}, {at: l.at.end + 1, text: mark}}
}

// putBack takes our flag and mark away: the line is as it was before, byte for byte.
func (l *serverLine) putBack() []splice {
	return []splice{{at: l.at.end - len(downFlag), cut: len(downFlag)}, {at: l.at.end + 1, cut: l.mark.after}}
}

// spliced is text with all cuts and insertions done.
func spliced(text string, all []splice) string {
	var b strings.Builder
	at := 0
	for _, s := range inOrder(all) {
		b.WriteString(text[at:s.at])
		b.WriteString(s.text)
		at = s.at + s.cut
	}
	b.WriteString(text[at:])
	return b.String()
}

// inOrder sorts splices by offset and drops repeated ones: a file that two blocks
// include has each line once.
func inOrder(all []splice) []splice {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b splice) int { return cmp.Compare(a.at, b.at) })
	return slices.Compact(all)
}

// bare is a file's text without any mark of ours: what people wrote.
func bareText(f *confFile) string {
	var all []splice
	var strip func(body []*directive)
	strip = func(body []*directive) {
		for _, d := range body {
			if d.name() == "server" && !d.has && len(d.args) > 1 {
				if l := newServerLine(d, ""); l.ours() {
					all = append(all, l.putBack()...)
				}
			}
			strip(d.block)
		}
	}
	strip(f.body)
	return spliced(f.text, all)
}

func sha(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}
