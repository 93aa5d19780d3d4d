package lb

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// A shape is a configuration as people write them, file by file.
type shape struct {
	name  string
	needs string // an nginx module that it needs
	files map[string]string
}

func shapes(t testing.TB) []shape {
	t.Helper()
	paths, err := filepath.Glob("../testdata/lb/nginx/*.txtar")
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d shapes: %v", len(paths), err)
	}
	var all []shape
	for _, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		s := shape{name: strings.TrimSuffix(filepath.Base(p), ".txtar"), files: map[string]string{}}
		s.needs = strings.TrimSpace(strings.TrimPrefix(string(a.Comment), "needs "))
		for _, f := range a.Files {
			name, bare := strings.CutSuffix(f.Name, " (no newline)")
			text := string(f.Data)
			if bare {
				text = strings.TrimSuffix(text, "\n")
			}
			s.files[name] = text
		}
		all = append(all, s)
	}
	return all
}

// read is what a look at the shape in dir would give.
func (s shape) read(dir string) (*nginxConf, error) {
	c := &nginxConf{main: dir + "/nginx.conf", files: map[string]*confFile{}, globs: map[string][]string{}, used: map[string]bool{}}
	for name, text := range s.files {
		f, err := parseConf(dir+"/"+name, text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		c.files[f.path] = f
	}
	for _, f := range c.files {
		for _, d := range everyDirective(f.body) {
			if d.name() == "include" && len(d.args) == 2 {
				c.globs[c.absolute(d.args[1])] = matching(c.absolute(d.args[1]), c.files)
			}
		}
	}
	return c, c.walk(func(d *directive, _ []*directive) error { c.used[d.file.path] = true; return nil })
}

func everyDirective(body []*directive) []*directive {
	all := slices.Clone(body)
	for _, d := range body {
		all = append(all, everyDirective(d.block)...)
	}
	return all
}

func matching(pattern string, files map[string]*confFile) []string {
	var all []string
	for p := range files {
		if ok, _ := path.Match(pattern, p); ok {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return all
}

var fleet = map[hostPort]string{{"10.0.0.11", 8080}: "web1", {"10.0.0.12", 8080}: "web2", {"fd00::13", 8080}: "web3"}

func (c *nginxConf) shopLines(t testing.TB) []*serverLine {
	t.Helper()
	lines, err := c.servers()
	if err != nil {
		t.Fatal(err)
	}
	assignLines(lines, []string{"shop"}, fleet, nil)
	return lines
}

// wanted are the lines of the fleet in shop, by shape: host, with ! where it is out and
// with ' where that is our mark.
var wanted = map[string]string{
	"plain": "web1 web2 web3", "one-line": "web1 web2 web3", "several-on-a-line": "web1 web2 web3", "debian-sites": "web1 web2",
	"crlf": "web1 web2", "quotes": "web1 web2 web3", "comment-before-semicolon": "web1 web2", "multi-line-arguments": "web1 web2",
	"include-in-upstream": "web1 web2", "glob-in-upstream": "web1 web2", "include-from-include": "web1 web2", "two-upstreams": "web1 web2",
	"same-file-twice": "web1 web2", "same-address-twice": "web1 web1 web2", "parameters": "web1 web2 web3", "ipv6": "web1 web2 web3",
	"unix-sockets": "web1", "commented-out": "web1 web3", "lua-block": "web1 web2", "lua-in-quotes": "web1", "map-with-regex": "web1 web2",
	"json-log": "web1 web2", "variable-braces": "web1 web2", "no-newline-at-end": "web1 web2", "server-is-last-byte": "web1",
	"stream-too": "web1 web1 web2", "hash": "web1 web2", "ip-hash": "web1 web2", "out-by-a-person": "web1! web2! web3",
	"our-mark": "web1' web2' web3", "our-mark-on-a-full-line": "web1' web2 web3", "mark-without-flag": "web1 web2! web3",
	"names-that-mislead": "web1 web2", "bytes": "web1 web2", "leading-zeros": "web1 web2", "ansible": "web1 web2",
	"mixed-line-ends": "web1 web2", "passes": "web1 web2", "backslashes": "web1 web2",
}

func TestTheServersOfAnUpstreamAreFoundHoweverTheyAreWritten(t *testing.T) {
	for _, s := range shapes(t) {
		c, err := s.read("/etc/nginx")
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		var got []string
		for _, l := range c.shopLines(t) {
			switch {
			case !l.listed || l.host == "":
			case l.ours():
				got = append(got, l.host+"'")
			case l.down:
				got = append(got, l.host+"!")
			default:
				got = append(got, l.host)
			}
		}
		slices.Sort(got)
		if g := strings.Join(got, " "); g != wanted[s.name] {
			t.Errorf("%s: got %q, want %q", s.name, g, wanted[s.name])
		}
	}
}

// swapText is what files become when pick is taken out, or put back.
func swapText(c *nginxConf, lines []*serverLine, edit func(*serverLine) []splice, pick func(*serverLine) bool) map[string]string {
	by := map[string][]splice{}
	for _, l := range lines {
		if pick(l) {
			by[l.at.file.path] = append(by[l.at.file.path], edit(l)...)
		}
	}
	texts := map[string]string{}
	for p, f := range c.files {
		texts[p] = spliced(f.text, by[p])
	}
	return texts
}

func reparsed(c *nginxConf, texts map[string]string) (*nginxConf, error) {
	again := &nginxConf{main: c.main, files: map[string]*confFile{}, globs: c.globs}
	for p, text := range texts {
		f, err := parseConf(p, text)
		if err != nil {
			return nil, err
		}
		again.files[p] = f
	}
	return again, nil
}

// editHolds: taking the lines of pick out changes nothing but their flags, and putting
// them back gives every byte as it was.
func editHolds(c *nginxConf, pick func(*serverLine) bool) error {
	lines, err := c.servers()
	if err != nil {
		return err
	}
	mine := func(l *serverLine) bool { return !l.down && pick(l) }
	took := swapText(c, lines, func(l *serverLine) []splice { return l.takeOut("20261121-120000-abcd") }, mine)
	out, err := reparsed(c, took)
	if err != nil {
		return fmt.Errorf("after the edit: %w", err)
	}
	after, err := out.servers()
	if err != nil || len(after) != len(lines) {
		return fmt.Errorf("%d servers became %d: %w", len(lines), len(after), err)
	}
	for i, l := range after {
		was := lines[i]
		want := slices.Clone(was.at.args)
		if mine(was) {
			want = append(want, "down")
		}
		if !slices.Equal(want, l.at.args) || mine(was) && (l.mark.rollout != "20261121-120000-abcd") {
			return fmt.Errorf("%q became %q with mark %+v", was.at.args, l.at.args, l.mark)
		}
	}
	back := swapText(out, after, (*serverLine).putBack, func(l *serverLine) bool { return l.mark.rollout == "20261121-120000-abcd" })
	for p, f := range c.files {
		if back[p] != f.text {
			return fmt.Errorf("%s: put back\n%q\nwas\n%q", p, back[p], f.text)
		}
		if a, b := bareText(f), bareText(out.files[p]); a != b {
			return fmt.Errorf("%s: without marks\n%q\nand\n%q", p, a, b)
		}
	}
	return nil
}

func TestAnEditUndoneLeavesEveryByteAsItWas(t *testing.T) {
	for _, s := range shapes(t) {
		c, err := s.read("/etc/nginx")
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		// A mark of another rollout in the file is not the one that is put back.
		for _, hosts := range [][]string{{"web1"}, {"web2"}, {"web1", "web2"}, {"web1", "web2", "web3"}} {
			err := editHolds(c, func(l *serverLine) bool {
				host, _, _ := ownerOf(l.addr, fleet, nil)
				return slices.Contains(hosts, host)
			})
			if err != nil {
				t.Errorf("%s %v: %v", s.name, hosts, err)
			}
		}
	}
}

func TestWhatAnEditLooksLike(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"server 10.0.0.11:8080;\n", "server 10.0.0.11:8080 down; # flipdeploy:r1\n"},
		{"server 10.0.0.11:8080;\r\n", "server 10.0.0.11:8080 down; # flipdeploy:r1\r\n"},
		{"server 10.0.0.11:8080 weight=2; # first\n", "server 10.0.0.11:8080 weight=2 down; # flipdeploy:r1 # first\n"},
		{"server 10.0.0.11:8080;", "server 10.0.0.11:8080 down; # flipdeploy:r1"},
		{"server 10.0.0.11:8080; keepalive 2;\n", "server 10.0.0.11:8080 down; # flipdeploy:r1 (line broken here)\n keepalive 2;\n"},
	} {
		f, err := parseConf("f", c.line)
		if err != nil {
			t.Fatal(err)
		}
		l := newServerLine(f.body[0], "shop")
		if got := spliced(c.line, l.takeOut("r1")); got != c.want {
			t.Errorf("%q became %q, want %q", c.line, got, c.want)
		}
	}
}

// TestNginxAcceptsWhatWeWrite: the real one reads each shape, before and after.
func TestNginxAcceptsWhatWeWrite(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		if os.Getenv("FLIPDEPLOY_NEED") == "1" {
			t.Fatal("nginx is not installed")
		}
		t.Skip("nginx is not installed")
	}
	for _, s := range shapes(t) {
		if s.needs != "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			dir := t.TempDir()
			c, err := s.read(dir)
			if err != nil {
				t.Fatal(err)
			}
			texts := map[string]string{}
			for p, f := range c.files {
				texts[p] = f.text
			}
			accepted(t, dir, texts)
			lines := c.shopLines(t)
			accepted(t, dir, swapText(c, lines, func(l *serverLine) []splice { return l.takeOut("r1") }, func(l *serverLine) bool { return l.host == "web1" && !l.down }))
			accepted(t, dir, swapText(c, lines, (*serverLine).putBack, (*serverLine).ours))
		})
	}
}

func accepted(t *testing.T, dir string, texts map[string]string) {
	t.Helper()
	for p, text := range texts {
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	globals := "pid " + dir + "/pid; error_log stderr;"
	out, err := exec.Command("nginx", "-t", "-q", "-c", dir+"/nginx.conf", "-g", globals).CombinedOutput()
	if err != nil {
		t.Fatalf("nginx: %s\n%q", out, slices.Collect(maps.Values(texts)))
	}
}

func TestWhatNginxDoesNotRead(t *testing.T) {
	for text, want := range map[string]string{
		"a":                     "line 1: the last directive has no end",
		"a b":                   "line 1: the last directive has no end",
		"a {\n":                 "line 2: a block has no end",
		"\n}":                   "line 2: unexpected '}'",
		";":                     "line 1: unexpected ';'",
		"{":                     "line 1: unexpected '{'",
		"a }":                   "line 1: unexpected '}'",
		`a "b;`:                 "line 1: a quote has no end",
		`a "b"c;`:               `line 1: unexpected 'c' after a quote`,
		"x_by_lua_block { [[ }": "line 1: a Lua block has no end",
		"a \"b\");":             "",
		"a ${b};":               "",
		"a $b{ c; }":            "",
		"a b}#c;":               "",
	} {
		_, err := parseConf("f", text)
		if got := fmt.Sprint(err); got != want && (want != "" || err != nil) {
			t.Errorf("%q: %s, want %q", text, got, want)
		}
	}
}

func FuzzNginxConf(f *testing.F) {
	for _, s := range shapes(f) {
		for _, text := range s.files {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		toks, err := confTokens(text)
		if err != nil {
			return
		}
		at := 0
		for _, k := range toks {
			if k.start != at || k.end <= k.start {
				t.Fatalf("a gap or nothing at %d: %+v", at, k)
			}
			at = k.end
		}
		if at != len(text) {
			t.Fatalf("it ends at %d of %d", at, len(text))
		}
		file, err := parseConf("/f", text)
		if err != nil {
			return
		}
		c := &nginxConf{main: "/f", files: map[string]*confFile{"/f": file}, globs: map[string][]string{}}
		if c.walk(func(*directive, []*directive) error { return nil }) != nil {
			return
		}
		if err := editHolds(c, func(*serverLine) bool { return true }); err != nil {
			t.Fatal(err)
		}
		_, _ = c.passes()
	})
}

func FuzzNginxLook(f *testing.F) {
	f.Add("== nginx\nversion nginx/1.22.1\nmaster 7-100 nginx: master process nginx -c /n\nworker live 8-101\nworker old 9-90\nclock 1795222018.5 200\n" +
		"sock 8 0B00000A:1F90 77\nprobe 10.0.0.11:8080 - connection refused\nglob /n\npath /n\nfile 1.5 1.6 1:2 /n\nlink 1.5 regular file /n\nsum " + strings.Repeat("a", 64) + "  /n\ntext 3 /n\na;\n\n== end\n")
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := parseLook(text); err == nil {
			l.digest()
			_ = l.clock(l.since())
		}
	})
}
