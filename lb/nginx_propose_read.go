package lb

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A nginxReader reads a configuration from this machine, or from what `nginx -T` printed.
type nginxReader struct {
	conf  *nginxConf
	dump  map[string]string // path → text; nil: read files
	named string            // as it was given
	notes []ProposedNote
}

// Beyond these a mistake is likelier than a configuration.
const (
	mostConfFiles = 5000
	mostConfBytes = 16 << 20
)

func readNginxFiles(file string, text []byte) (*nginxReader, error) {
	r := &nginxReader{named: file, conf: &nginxConf{main: file, files: map[string]*confFile{}, globs: map[string][]string{}}}
	if text == nil {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return nil, badFile("name a file that is here, or - for standard input", "%s: cannot be read: %s", file, fileReason(err))
		}
	}
	if main, dump := nginxDump(string(text)); dump != nil {
		r.dump, r.conf.main, text = dump, main, []byte(dump[main])
	}
	return r, r.load(r.conf.main, string(text), nil)
}

var dumpHead = regexp.MustCompile(`(?m)^# configuration file (/[^\n]*):\r?\n`)

// nginxDump cuts what `nginx -T` prints into its files; the first is the main one.
func nginxDump(text string) (main string, dump map[string]string) {
	heads := dumpHead.FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		if dump == nil {
			main, dump = text[h[2]:h[3]], map[string]string{}
		}
		dump[text[h[2]:h[3]]] = text[h[1]:end]
	}
	return main, dump
}

// load parses a file and all that it includes; above are the files that lead to it.
func (r *nginxReader) load(file, text string, above []string) error {
	if len(r.conf.files) >= mostConfFiles || len(text) > mostConfBytes {
		return badFile("give one site's file", "%s: too much for a configuration", file)
	}
	f, err := parseConf(file, text)
	if err != nil {
		return badFile("is it an nginx configuration? run `nginx -t` on the balancer", "%s: %v", file, err)
	}
	r.conf.files[file] = f
	return r.includes(f.body, nil, append(slices.Clip(above), file))
}

func (r *nginxReader) includes(body []*directive, around []string, above []string) error {
	for _, d := range body {
		if err := r.includes(d.block, append(slices.Clip(around), d.name()), above); err != nil {
			return err
		}
		if d.name() != "include" || d.has || len(d.args) != 2 {
			continue
		}
		if err := r.include(d, around, above); err != nil {
			return err
		}
	}
	return nil
}

func (r *nginxReader) include(d *directive, around, above []string) error {
	pattern := r.conf.absolute(d.args[1])
	found, here := r.find(pattern)
	r.conf.globs[pattern] = found
	if !here && !inServer(around) && !harmlessInclude(pattern) {
		r.notes = append(r.notes, ProposedNote{d.where(), "include " + d.args[1] + " is not here: what stands in it is not known"})
	}
	for _, file := range found {
		if slices.Contains(above, file) {
			return badFile("run `nginx -t` on the balancer", "%s: include %s leads back to %s", d.where(), d.args[1], file)
		}
		if r.conf.files[file] != nil {
			continue
		}
		text, err := r.text(file)
		if err != nil {
			return badFile("run it as a user who may read nginx's files, or give what `nginx -T` prints", "%s: cannot be read: %s", file, fileReason(err))
		}
		if err := r.load(file, text, above); err != nil {
			return err
		}
	}
	return nil
}

// inServer: no upstream can stand in what is included there.
func inServer(around []string) bool {
	return slices.ContainsFunc(around, func(b string) bool { return b != "http" && b != "stream" && b != "upstream" })
}

// harmlessInclude: files of nginx's own without upstreams.
func harmlessInclude(pattern string) bool {
	base := path.Base(pattern)
	return base == "mime.types" || strings.HasSuffix(base, "_params") || strings.Contains(pattern, "/modules")
}

// find are the files of an include; here tells whether they were looked for in vain.
func (r *nginxReader) find(pattern string) (found []string, here bool) {
	if r.dump != nil {
		for p := range r.dump {
			if ok, err := path.Match(pattern, p); ok && err == nil {
				found = append(found, p)
			}
		}
		slices.Sort(found)
		return found, true
	}
	for _, try := range r.places(pattern) {
		if found, err := filepath.Glob(try); err == nil && len(found) > 0 {
			return slices.DeleteFunc(found, isDir), true
		}
		if _, err := os.Stat(filepath.Dir(try)); err == nil && strings.ContainsAny(filepath.Base(try), "*?[") {
			return nil, true
		}
	}
	return nil, false
}

func isDir(p string) bool { i, err := os.Stat(p); return err == nil && i.IsDir() }

// places are where a file of the balancer may be here: at its own path; under a copied
// tree; beside the directory of a site's file.
func (r *nginxReader) places(pattern string) []string {
	if rel, ok := strings.CutPrefix(pattern, path.Dir(r.conf.main)+"/"); ok {
		return []string{pattern, path.Join(path.Dir(r.conf.main), "..", rel)}
	}
	all := []string{pattern}
	main, err := filepath.Abs(r.conf.main)
	if err != nil {
		return all
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(pattern, "/"), "/")
	if at := strings.LastIndex(main, "/"+first+"/"); at > 0 {
		all = slices.Insert(all, 0, main[:at]+pattern)
	}
	return all
}

func (r *nginxReader) text(file string) (string, error) {
	if r.dump != nil {
		return r.dump[file], nil
	}
	data, err := os.ReadFile(file)
	return string(data), err
}

// onBalancer is the main file's path there, "" where the one here says nothing of it.
func (r *nginxReader) onBalancer() string {
	main := r.conf.main
	if r.dump == nil {
		var err error
		if main, err = filepath.Abs(main); err != nil || r.named == "-" {
			return ""
		}
		at := -1
		for _, top := range []string{"/usr/local/", "/opt/", "/etc/"} {
			if at < 0 {
				at = strings.LastIndex(main, top)
			}
		}
		if at < 0 {
			return ""
		}
		main = main[at:]
	}
	if !goodPath.MatchString(main) || path.Clean(main) != main {
		return ""
	}
	return main
}
