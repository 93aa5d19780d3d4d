package lb

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A confFile is one file as it was read: its text, and what stands in it.
type confFile struct {
	path string
	text string
	body []*directive
}

// A directive is one statement of a file, with the offsets of its parts.
type directive struct {
	file  *confFile
	args  []string    // as nginx takes them, the name first
	words []confToken // the same in the text
	end   int         // offset of its ; or {
	block []*directive
	has   bool // a block, an empty one too
}

func (d *directive) name() string { return d.args[0] }

// where is FILE:LINE.
func (d *directive) where() string {
	return fmt.Sprintf("%s:%d", d.file.path, 1+strings.Count(d.file.text[:d.words[0].start], "\n"))
}

// deepest nesting, of blocks and of includes; nobody writes that.
const deepest = 100

// parseConf reads a whole file, which must be complete in itself.
func parseConf(path, text string) (*confFile, error) {
	toks, err := confTokens(text)
	if err != nil {
		return nil, err
	}
	f := &confFile{path: path, text: text}
	p := &confParse{file: f, toks: toks}
	f.body, err = p.body(0)
	return f, err
}

type confParse struct {
	file *confFile
	toks []confToken
	at   int
}

// body reads to the end of a block or of the text.
func (p *confParse) body(depth int) ([]*directive, error) {
	if depth > deepest {
		return nil, &confError{1, "blocks are nested too deep"}
	}
	var all []*directive
	d := &directive{file: p.file}
	for p.at < len(p.toks) {
		t := p.toks[p.at]
		p.at++
		switch t.kind {
		case confWord:
			d.words = append(d.words, t)
			d.args = append(d.args, confUnquote(p.file.text[t.start:t.end]))
		case confSemi, confOpen:
			d.end = t.start
			if d.has = t.kind == confOpen; d.has {
				var err error
				if d.block, err = p.body(depth + 1); err != nil {
					return nil, err
				}
			}
			all = append(all, d)
			d = &directive{file: p.file}
		case confClose:
			return all, nil
		case confSpace, confComment, confLua:
		}
	}
	return all, nil
}

// A nginxConf is everything that nginx reads, includes followed.
type nginxConf struct {
	main   string
	files  map[string]*confFile
	globs  map[string][]string // include's argument, made absolute → files
	used   map[string]bool     // files that say anything to nginx
	bares  map[string]string   // → sha256 without our marks
	broken map[string]*Fault   // files that do not parse: they matter where an include needs them
}

// A missingInclude is an include whose files were not read.
type missingInclude struct{ pattern string }

func (e *missingInclude) Error() string { return "include " + e.pattern + " was not read" }

// A confVisit is told each directive with the names of the blocks around it. An
// upstream's or server's block is visited after it.
type confVisit func(d *directive, around []*directive) error

// walk visits all directives in nginx's order. Relative includes start at the main
// file's directory, wherever they stand.
func (c *nginxConf) walk(visit confVisit) error {
	f := c.files[c.main]
	if f == nil {
		return &missingInclude{c.main}
	}
	return c.each(f.body, nil, 0, visit)
}

func (c *nginxConf) each(body []*directive, around []*directive, depth int, visit confVisit) error {
	if depth > deepest {
		return fmt.Errorf("includes or blocks are nested too deep")
	}
	for _, d := range body {
		if d.name() == "include" && !d.has && len(d.args) == 2 {
			if err := c.include(d, around, depth, visit); err != nil {
				return err
			}
			continue
		}
		if err := visit(d, around); err != nil {
			return err
		}
		if err := c.each(d.block, append(slices.Clip(around), d), depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}

func (c *nginxConf) include(d *directive, around []*directive, depth int, visit confVisit) error {
	pattern := c.absolute(d.args[1])
	paths, ok := c.globs[pattern]
	if !ok {
		return &missingInclude{pattern}
	}
	for _, p := range paths {
		f := c.files[p]
		if bad := c.broken[p]; bad != nil {
			return bad
		}
		if f == nil {
			return &missingInclude{pattern}
		}
		if err := c.each(f.body, around, depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}

func (c *nginxConf) absolute(pattern string) string {
	if strings.HasPrefix(pattern, "/") {
		return pattern
	}
	return path.Dir(c.main) + "/" + pattern
}

// in tells whether the blocks around are just these.
func in(around []*directive, names ...string) bool {
	if len(around) != len(names) {
		return false
	}
	for i, d := range around {
		if d.name() != names[i] {
			return false
		}
	}
	return true
}
