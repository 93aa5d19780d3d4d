package site_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/site"
)

// put writes an executable below the app's directory.
func (b *bench) put(name, text string) string {
	b.t.Helper()
	p := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o755); err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *bench) link(text, name string) {
	b.t.Helper()
	if err := os.Symlink(text, filepath.Join(b.dir, name)); err != nil {
		b.t.Fatal(err)
	}
}

// sign is how a host tells a program from any other.
func sign(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d:%d", info.Sys().(*syscall.Stat_t).Ino, info.Size(), info.ModTime().Unix())
}

// runs is what is known of a process that runs path.
func runs(t *testing.T, path string) site.Program {
	return site.Program{PID: 1 << 22, Exe: path, Sign: sign(t, path)}
}

func (b *bench) adopt(s *site.Site, p site.Program) site.Find {
	b.t.Helper()
	f, err := s.Find(b.t.Context(), p)
	if err != nil || f.ID == "" {
		b.t.Fatalf("found %+v, %v", f, err)
	}
	if err := s.Adopt(b.t.Context(), f); err != nil {
		b.t.Fatal(err)
	}
	return f
}

func (b *bench) flips(s *site.Site, ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		if err := s.Flip(b.t.Context(), id); err != nil {
			b.t.Fatal(err)
		}
		if got, err := s.Current(b.t.Context()); got != id || err != nil {
			b.t.Errorf("current %q, want %q: %v", got, id, err)
		}
	}
}

// text is a file's content, or a link's as "-> text"; "none" where nothing is.
func (b *bench) text(name string) string {
	p := filepath.Join(b.dir, name)
	if to, err := os.Readlink(p); err == nil {
		return "-> " + to
	}
	data, err := os.ReadFile(p)
	if err != nil {
		return "none"
	}
	return string(data)
}

func (b *bench) want(name, want string) {
	b.t.Helper()
	if got := b.text(name); got != want {
		b.t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func TestWhatCurrentPointsAtIsAdoptedAndComesBackAsFound(t *testing.T) {
	for _, place := range []string{"builds/2026-10-01", "releases/2026-10-01"} {
		b := newBench(t)
		program := b.put(place+"/shop", "found")
		b.put(place+"/static/logo", "logo")
		text := b.dir + "/" + place + "/"
		b.link(text, "current")
		f := b.adopt(b.site, runs(t, program))
		if f.ID != "adopted-bcc649cf" || f.Kind != "dir" || f.Source != filepath.Join(b.dir, place) || f.Link != text {
			t.Errorf("found %+v", f)
		}
		b.want("current", "-> "+text)
		b.want("releases/"+f.ID+"/static/logo", "logo")
		if got, err := b.site.Current(t.Context()); got != f.ID || err != nil {
			t.Errorf("current %q, %v", got, err)
		}
		o, err := b.site.Observe(t.Context())
		if err != nil || o.Current != f.ID || o.Releases[f.ID] != f.Hash {
			t.Errorf("observed %+v, %v", o, err)
		}
		b.stage("v1-abc", artifact(t, 10))
		b.flips(b.site, "v1-abc", f.ID, "v1-abc", f.ID)
		b.want("current", "-> "+text)

		b.flips(b.site, "v1-abc")
		b.put(place+"/shop", "changed meanwhile")
		b.flips(b.site, f.ID)
		b.want("current", "-> releases/"+f.ID)
		b.want("current/shop", "found")
	}
}

func TestABinaryIsAdoptedAndComesBackAsTheSameFile(t *testing.T) {
	b := newBench(t)
	s := b.at(site.Config{Install: site.Replace, Binary: "bin/shop"})
	binary := b.put("bin/shop", "found")
	before, _ := os.Stat(binary)
	f := b.adopt(s, runs(t, binary))
	b.stage("v1-abc", artifact(t, 10))
	b.flips(s, "v1-abc", f.ID, "v1-abc", f.ID)
	b.want("bin/shop", "found")
	b.want("current", "none")
	if after, _ := os.Stat(binary); !os.SameFile(before, after) {
		t.Errorf("the binary is another file than the one that was found")
	}
}

func TestABinaryThatIsALinkIsALinkAgain(t *testing.T) {
	b := newBench(t)
	s := b.at(site.Config{Install: site.Replace, Binary: "bin/shop"})
	program := b.put("bin/shop-1.2", "found")
	b.link("shop-1.2", "bin/shop")
	b.link("somewhere/else", "current")
	f := b.adopt(s, runs(t, program))
	b.stage("v1-abc", artifact(t, 10))
	b.flips(s, "v1-abc", f.ID)
	b.want("bin/shop", "-> shop-1.2")
	b.want("current", "-> somewhere/else")
	b.flips(s, "v1-abc")
	_ = os.Remove(program)
	b.flips(s, f.ID)
	b.want("bin/shop", "found")
}

func TestAProgramThatIsGoneIsAdoptedFromItsProcess(t *testing.T) {
	b := newBench(t)
	s := b.at(site.Config{Install: site.Replace, Binary: "bin/shop"})
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(sleep)
	binary := b.put("bin/shop", string(data))
	cmd := exec.Command(binary, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	p := site.Program{PID: cmd.Process.Pid, Exe: binary + " (deleted)", Sign: sign(t, binary)}
	_ = os.Remove(binary)
	b.put("bin/shop", "never run")
	f := b.adopt(s, p)
	if want := fmt.Sprintf("/proc/%d/exe", p.PID); f.Source != want {
		t.Errorf("adopted from %s, want %s", f.Source, want)
	}
	b.want("releases/"+f.ID+"/shop", string(data))
	b.want("bin/shop", "never run")
}

func TestWhatDoesNotRunIsAdoptedAsItIsInstalled(t *testing.T) {
	b := newBench(t)
	s := b.at(site.Config{Install: site.Replace, Binary: "bin/shop"})
	if f, err := s.Find(t.Context(), site.Program{}); err != nil || f != (site.Find{}) {
		t.Errorf("on an empty host: %+v, %v", f, err)
	}
	b.put("bin/shop", "found")
	f := b.adopt(s, site.Program{})
	b.stage("v1-abc", artifact(t, 10))
	b.flips(s, "v1-abc", f.ID)
	b.want("bin/shop", "found")
	b.want("current", "none")
}

func TestAdoptedAgainCountsAsFoundNow(t *testing.T) {
	b := newBench(t)
	for _, place := range []string{"one", "two"} {
		program := b.put(place+"/shop", "found")
		b.put(place+"/notes", place)
		_ = os.Remove(filepath.Join(b.dir, "current"))
		b.link(place, "current")
		f := b.adopt(b.site, runs(t, program))
		b.want("releases/"+f.ID+"/notes", place)
		b.flips(b.site, f.ID)
		b.want("current", "-> "+place)
	}
	if b.left() != "adopted-bcc649cf" {
		t.Errorf("left %s", b.left())
	}
}

func TestNoWayBackIsSaidWithItsReason(t *testing.T) {
	b := newBench(t)
	program := b.put("builds/1/shop", "found")
	other := b.put("builds/2/shop", "other")
	b.put("builds/2/notes", "")
	odd := b.put("builds/3/shopd", "odd")
	for _, c := range []struct {
		link string
		p    site.Program
		want string
	}{
		{"builds/2", runs(t, program), "pid 4194304 runs " + program + ", which is not the shop that current points at"},
		{"builds/3", runs(t, odd), "pid 4194304 runs " + odd + ", which is not the shop that current points at"},
		{"", site.Program{PID: 1 << 22, Exe: program + " (deleted)", Sign: "1:2:3"},
			"the file that pid 4194304 runs is gone (" + program + "), and /proc/4194304/exe may not be read by " + b.sshd.User},
		{"", site.Program{PID: 7, Exe: "/usr/bin/node", Sign: "1:2:3", Interpreted: true},
			"pid 7 runs /usr/bin/node, an interpreter: what it runs cannot be told"},
		{"builds/9", site.Program{}, "current points at builds/9, and no program shop is there"},
		{"builds/1\nx", site.Program{}, "current points at a name with control characters"},
	} {
		_ = os.Remove(filepath.Join(b.dir, "current"))
		if c.link != "" {
			b.link(c.link, "current")
		}
		f, err := b.site.Find(t.Context(), c.p)
		if err != nil || f.ID != "" || f.Why != c.want {
			t.Errorf("%s: %q, %+v, %v\nwant %q", c.link, f.Why, f, err, c.want)
		}
	}
	_ = other
}

func TestNothingIsAdoptedThatChangedOrIsFenced(t *testing.T) {
	b := newBench(t)
	program := b.put("one/shop", "found")
	b.link("one", "current")
	f, err := b.site.Find(t.Context(), runs(t, program))
	if err != nil {
		t.Fatal(err)
	}
	b.put("one/shop", "other")
	err = b.site.Adopt(t.Context(), f)
	if code(err) != "FD-ADOPT" || err.Error() != "keep what was found: "+b.dir+"/one was changed meanwhile" {
		t.Errorf("got %v", err)
	}
	_ = os.Remove(filepath.Join(b.dir, "current"))
	b.link("two", "current")
	err = b.site.Adopt(t.Context(), f)
	if code(err) != "FD-ADOPT" || err.Error() != "keep what was found: current was changed meanwhile" {
		t.Errorf("got %v", err)
	}
	_ = os.Remove(filepath.Join(b.dir, "current"))
	b.link("one", "current")
	b.put("one/shop", "found")
	_ = b.site.Fence(t.Context(), 7)
	if err := b.site.WithEpoch(6).Adopt(t.Context(), f); code(err) != "FD-FENCED" {
		t.Errorf("got %v", err)
	}
	if strings.Contains(b.left(), "adopted") || strings.Contains(b.left(), ".stage") {
		t.Errorf("left %s", b.left())
	}
}

func TestWhatCannotBeFlippedIsFoundInPreflight(t *testing.T) {
	b, a := newBench(t), artifact(t, 10)
	s := b.at(site.Config{Install: site.Replace, Binary: "bin/shop"})
	_ = os.Mkdir(filepath.Join(b.dir, "current"), 0o755)
	f, err := s.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "[" + b.dir + "/current is no symbolic link put the release at bin/shop: " + b.dir + "/bin does not exist]"
	if got := fmt.Sprint(s.Preflight(f, "v1-abc", a)); got != want {
		t.Errorf("preflight %s, want %s", got, want)
	}
}
