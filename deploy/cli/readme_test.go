package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	ucli "github.com/urfave/cli/v2"
)

var root = filepath.Join("..", "..")

// A block is one fenced part of the README.
type block struct {
	lang  string
	line  int // of its fence, from 1
	lines []string
}

func readme(t *testing.T) (text string, blocks []block) {
	t.Helper()
	text = read(t, filepath.Join(root, "README.md"))
	open := false
	for i, line := range strings.Split(text, "\n") {
		switch fence, is := strings.CutPrefix(line, "```"); {
		case is && !open:
			blocks = append(blocks, block{lang: fence, line: i + 1})
			open = true
		case is:
			open = false
		case open:
			last := &blocks[len(blocks)-1]
			last.lines = append(last.lines, line)
		}
	}
	if open || len(blocks) == 0 {
		t.Fatalf("%d blocks, the last one open: %v", len(blocks), open)
	}
	return text, blocks
}

// Who opens the page sees at once what it does.
func TestReadmeBeginsWithATranscript(t *testing.T) {
	_, blocks := readme(t)
	first := blocks[0]
	if first.lang != "console" || first.line >= 20 || len(first.lines) < 3 || !strings.HasPrefix(first.lines[0], "$ flipdeploy rollout ") {
		t.Errorf("the first block is %q on line %d: %q", first.lang, first.line, first.lines)
	}
}

// Every command of the README is understood as it stands there.
func TestReadmeCommandsParse(t *testing.T) {
	_, blocks := readme(t)
	seen := 0
	for _, b := range blocks {
		for _, line := range commandsIn(b) {
			seen++
			words := strings.Fields(line)[1:]
			got, err := parse(t, words...)
			if err != nil || got == nil || !slices.Contains(words, got.command) {
				t.Errorf("block on line %d: %q is not understood: %v", b.line, line, err)
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d commands found", seen)
	}
}

// commandsIn are the lines of a console or shell block that call flipdeploy.
func commandsIn(b block) []string {
	var all []string
	for _, line := range b.lines {
		line, prompt := strings.CutPrefix(line, "$ ")
		line, _, _ = strings.Cut(line, " #")
		if strings.HasPrefix(line, "flipdeploy ") && (b.lang == "sh" || b.lang == "console" && prompt) {
			all = append(all, line)
		}
	}
	return all
}

var (
	script   = regexp.MustCompile(`\bscripts/[a-z0-9._/-]*[a-z0-9]`)
	link     = regexp.MustCompile(`\]\(([^):#]+)\)`)
	variable = regexp.MustCompile(`\bFLIPDEPLOY_[A-Z_]+`)
	flagWord = regexp.MustCompile("(?:^|[\\s`(])(--[a-z][a-z-]*)")
)

// What the README names is there.
func TestReadmeNamesWhatIsThere(t *testing.T) {
	text, _ := readme(t)
	for _, path := range slices.Concat(script.FindAllString(text, -1), second(link, text)) {
		if _, err := os.Stat(filepath.Join(root, path)); err != nil {
			t.Errorf("there is no %s", path)
		}
	}
	twins := []string{"FLIPDEPLOY_NEED", "FLIPDEPLOY_SSH_KEY", "FLIPDEPLOY_SSH_PASSPHRASE"}
	flags := []string{"--help", "--need", "--quick"}
	for _, c := range commands(t) {
		for _, f := range c.Flags {
			flags = append(flags, names(f)...)
			twins = append(twins, f.(ucli.DocGenerationFlag).GetEnvVars()...)
		}
	}
	for _, name := range variable.FindAllString(text, -1) {
		if !slices.Contains(twins, name) {
			t.Errorf("no flag has the twin %s", name)
		}
	}
	for _, name := range second(flagWord, text) {
		if !slices.Contains(flags, name) {
			t.Errorf("no command has the flag %s", name)
		}
	}
}

func second(re *regexp.Regexp, text string) []string {
	var all []string
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestReadmeCodesExist(t *testing.T) {
	text, _ := readme(t)
	var source strings.Builder
	for _, s := range product(t) {
		source.WriteString(read(t, filepath.Join(root, s.path)))
	}
	for _, code := range wholeCodes.FindAllString(text, -1) {
		stem := code[:strings.LastIndex(code, "-")+1] // FD-TAKEOVER- is completed where it is used
		if !strings.Contains(source.String(), `"`+code+`"`) && !strings.Contains(source.String(), `"`+stem+`"`) {
			t.Errorf("nothing says %s", code)
		}
	}
}

var wholeCodes = regexp.MustCompile(`\bFD(-[A-Z0-9]+)+`)

// Who copies the inventory has one that is right.
func TestReadmeInventoriesLoad(t *testing.T) {
	_, blocks := readme(t)
	seen := 0
	for _, b := range blocks {
		if b.lang != "toml" {
			continue
		}
		seen++
		if _, err := inventory.Parse([]byte(strings.Join(b.lines, "\n")), "README.md"); err != nil {
			t.Errorf("block on line %d: %v", b.line, err)
		}
	}
	if seen == 0 {
		t.Error("no inventory in README.md")
	}
}
