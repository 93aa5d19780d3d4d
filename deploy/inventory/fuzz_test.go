package inventory

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// Whatever the file, Parse ends, what it accepts is usable, and what it says
// is safe to print.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(files, "*", "*.toml"))
	if err != nil || len(paths) < 40 {
		f.Fatalf("%d seeds: %v", len(paths), err)
	}
	for _, p := range append(paths, example) {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a=" + strings.Repeat("[", 500) + strings.Repeat("]", 500)))
	f.Add([]byte(strings.Repeat("a.", 5000) + "a=1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := Parse(data, "inventory.toml")
		if err != nil {
			refusedWell(t, err)
			return
		}
		acceptedWell(t, inv)
	})
}

func refusedWell(t *testing.T, err error) {
	var e *FaultsError
	if !errors.As(err, &e) || len(e.Faults) == 0 || e.Code() == "" || e.Hint() == "" {
		t.Fatalf("an error without faults: %#v", err)
	}
	for _, r := range strings.ReplaceAll(e.Error(), "\n", "") {
		if !unicode.IsPrint(r) {
			t.Fatalf("%U would be printed: %q", r, e.Error())
		}
	}
	if lines := strings.Count(e.Error(), "\n") + 1; lines != min(len(e.Faults), maxShown+1) {
		t.Fatalf("%d faults in %d lines: %q", len(e.Faults), lines, e.Error())
	}
}

func acceptedWell(t *testing.T, inv *Inventory) {
	if inv.App.Name == "" || inv.Reload.Method == "" || len(inv.LBs) == 0 || len(inv.Hosts) == 0 {
		t.Fatalf("incomplete: %+v", inv)
	}
	if err := inv.Recheck(); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, h := range inv.Hosts {
		if names[h.Name] || h.Address == "" || h.Path == "" || h.HealthPort == 0 || len(h.Backends) == 0 {
			t.Fatalf("host: %+v", h)
		}
		names[h.Name] = true
	}
	for _, l := range inv.LBs {
		if l.Name == "" || l.Address == "" || len(l.Upstreams) == 0 || l.Kind == "haproxy" && l.Socket == "" {
			t.Fatalf("balancer: %+v", l)
		}
	}
}
