package inventory

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const smallest = files + "/ok/smallest.toml"

// lay writes a good inventory into a new directory.
func lay(t *testing.T) (dir, path string) {
	dir = t.TempDir()
	path = filepath.Join(dir, "inventory.toml")
	data, err := os.ReadFile(smallest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, path
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// refused wants a path not to load, for this reason and with this hint.
func refused(t *testing.T, path, text, hint string) error {
	t.Helper()
	_, err := Load(path)
	var e *FaultsError
	if !errors.As(err, &e) || e.Error() != text || e.Hint() != hint || e.Code() != CodeInventory {
		t.Errorf("got %v, want %s (%s)", err, text, hint)
	}
	return err
}

func TestLoadReadsAFile(t *testing.T) {
	dir, path := lay(t)
	inv, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if inv.Path != path || inv.Dir != dir {
		t.Errorf("path %s, dir %s", inv.Path, inv.Dir)
	}
}

func TestLoadRefusesAFileThatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.toml")
	err := refused(t, path, path+": cannot be opened: no such file or directory", "name the file with -i FILE")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not ErrNotExist", err)
	}
}

func TestLoadRefusesADirectory(t *testing.T) {
	dir := t.TempDir()
	refused(t, dir, dir+": is a directory", "name the file with -i FILE")
}

func TestLoadRefusesAFileThatAnyoneMayWrite(t *testing.T) {
	_, path := lay(t)
	chmod(t, path, 0o666)
	refused(t, path, path+": anyone may write this file", "chmod o-w "+path)
}

func TestLoadRefusesADirectoryWhereAnyoneMayReplaceTheFile(t *testing.T) {
	dir, path := lay(t)
	chmod(t, dir, 0o777)
	refused(t, path, path+": anyone may replace this file: "+dir+" is writable by all", "chmod o-w "+dir)
	chmod(t, dir, 0o777|os.ModeSticky)
	if _, err := Load(path); err != nil {
		t.Errorf("a sticky directory: %v", err)
	}
}

func TestLoadRefusesALinkIntoADirectoryOfAnyone(t *testing.T) {
	dir, path := lay(t)
	link := filepath.Join(t.TempDir(), "inventory.toml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(link); err != nil {
		t.Fatal(err)
	}
	chmod(t, dir, 0o777)
	refused(t, link, link+": anyone may replace this file: "+dir+" is writable by all", "chmod o-w "+dir)
}

func TestLoadRefusesAFileThatIsTooLarge(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "inventory.toml")
	if err := os.WriteFile(path, []byte(strings.Repeat("#\n", maxSize)), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, path, path+": is larger than 256 KiB: not an inventory", "inventory.example.toml shows every key with its default")
}

func TestRelativePathsAreRelativeToTheFileAsItWasNamed(t *testing.T) {
	dir, _ := lay(t)
	t.Chdir(dir)
	inv, err := Load("inventory.toml")
	if err != nil {
		t.Fatal(err)
	}
	if inv.Path != "inventory.toml" || inv.Dir != dir {
		t.Errorf("path %s, dir %s", inv.Path, inv.Dir)
	}
}

func TestNoHomeDirectoryIsAFaultOnlyWhereOneIsNeeded(t *testing.T) {
	t.Setenv("HOME", "")
	data, err := os.ReadFile(smallest)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(data, "i.toml")
	want := "i.toml:10:2: ssh.known_hosts: no home directory for ~/: $HOME is not set"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	data = []byte(strings.Replace(string(data), "[ssh]\n", "[ssh]\nknown_hosts = \"k\"\n", 1))
	if _, err := Parse(data, "i.toml"); err != nil {
		t.Error(err)
	}
}
