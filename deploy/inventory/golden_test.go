package inventory

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the .want files anew; read them before you commit")

const files = "../../testdata/inventory"

// setting is the machine that all test files are read on.
func setting(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("SHOP_BUILD", "build/shop-v2")
	t.Setenv("SHOP_EMPTY", "")
	t.Setenv("SHOP_BELL", "a\ab")
}

func TestGoodFilesResolve(t *testing.T) {
	setting(t)
	each(t, "ok", func(t *testing.T, data []byte) string {
		inv, err := Parse(data, "/etc/shop/inventory.toml")
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		flatten(&b, "", reflect.ValueOf(*inv))
		return b.String()
	})
}

func TestBadFilesAreRefusedWithEveryFault(t *testing.T) {
	setting(t)
	each(t, "bad", func(t *testing.T, data []byte) string {
		inv, err := Parse(data, "inventory.toml")
		if err == nil || inv != nil {
			t.Fatalf("accepted: %+v", inv)
		}
		var e *FaultsError
		if !errors.As(err, &e) {
			t.Fatalf("%T", err)
		}
		return fmt.Sprintf("%s\n[%s]\nhint: %s\n", e.Error(), e.Code(), e.Hint())
	})
}

// each compares what got makes of every file of a folder with its .want.
func each(t *testing.T, folder string, got func(*testing.T, []byte) string) {
	paths, err := filepath.Glob(filepath.Join(files, folder, "*.toml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, strings.TrimSuffix(path, ".toml")+".want", got(t, data))
		})
	}
}

func compare(t *testing.T, path, got string) {
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\ngot\n%s\nwant\n%s", path, got, want)
	}
}

// flatten writes one line a field.
func flatten(b *strings.Builder, key string, v reflect.Value) {
	if _, ok := v.Interface().(fmt.Stringer); ok || v.Kind() != reflect.Struct && !structs(v) {
		fmt.Fprintf(b, "%s = %s\n", strings.TrimPrefix(key, "."), word(v))
		return
	}
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			flatten(b, fmt.Sprintf("%s[%d]", key, i), v.Index(i))
		}
		return
	}
	for i := range v.NumField() {
		flatten(b, key+"."+v.Type().Field(i).Name, v.Field(i))
	}
}

func structs(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct
}

func word(v reflect.Value) string {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	return strings.TrimPrefix(fmt.Sprintf("%#v", v.Interface()), "[]string")
}

func TestWantFilesHaveTheirFile(t *testing.T) {
	wants, err := filepath.Glob(filepath.Join(files, "*", "*.want"))
	if err != nil || len(wants) == 0 {
		t.Fatalf("no .want files: %v", err)
	}
	for _, w := range wants {
		if _, err := os.Stat(strings.TrimSuffix(w, ".want") + ".toml"); err != nil {
			t.Error(err)
		}
	}
}

// Fewer would mean that some went missing.
func TestThereAreManyBadFiles(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join(files, "bad"))
	if err != nil {
		t.Fatal(err)
	}
	bad, names := 0, map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	for name := range names {
		stem, isWant := strings.CutSuffix(name, ".want")
		stem, isFile := strings.CutSuffix(stem, ".toml")
		switch {
		case isFile && !isWant:
			bad++
		case !isWant:
			t.Errorf("%s is neither an inventory nor what is said of it", name)
		}
		if !names[stem+".toml"] || !names[stem+".want"] {
			t.Errorf("%s stands alone", name)
		}
	}
	if bad < 60 {
		t.Errorf("only %d bad inventories", bad)
	}
}

// Every text has a place or a key, no fault stands twice, and none is without words.
func TestBadFilesAreToldWell(t *testing.T) {
	setting(t)
	paths, _ := filepath.Glob(filepath.Join(files, "bad", "*.toml"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(data, "inventory.toml")
		refusedWell(t, err)
		seen := map[Fault]bool{}
		var all *FaultsError
		if !errors.As(err, &all) {
			t.Fatal(err)
		}
		for _, f := range all.Faults {
			where := filepath.Base(path) + ": " + f.Key + ": " + f.Text
			if seen[f] || f.Text == "" || f.Line == 0 && f.Key == "" && !strings.Contains(f.Text, "UTF-16") {
				t.Error(where)
			}
			if lines := strings.Count(string(data), "\n") + 1; f.Line > lines {
				t.Errorf("%s: line %d of %d", where, f.Line, lines)
			}
			seen[f] = true
		}
	}
}
