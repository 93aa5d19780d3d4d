package proc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a look at a host brings, it is judged without an end of the program, and
// nobody is to be signalled who was not seen to live.
func FuzzLook(f *testing.F) {
	seeds, err := filepath.Glob("*_test.go") // they hold what real hosts said
	if err != nil || len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, name := range seeds {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i, part := range strings.Split(string(text), "`") {
			if i%2 == 1 && strings.Contains(part, "proc ") {
				f.Add([]byte(part + "\ntold\nend\n"))
			}
		}
	}
	f.Add([]byte("root /r\nlisten 10\nproc 10 10 100\nproc 11 12 1\nproc 12 11 1\ntold\nend\n"))
	f.Add([]byte("now x\nme -1\npidfile 99999999999999999999\nunit MainPID=\nstat 1\nstatus\nend"))
	f.Fuzz(func(t *testing.T, out []byte) {
		c := testConfig()
		facts, _ := parse(out, c)
		s, err := c.locate(facts)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		if s.main != nil && !s.main.alive() {
			t.Fatalf("%d does not live", s.main.pid)
		}
	})
}

// FuzzVersionWord: a revision is found only as a whole word.
func FuzzVersionWord(f *testing.F) {
	f.Add("v2 ok", "v2")
	f.Add("v22", "v2")
	f.Add("", "v")
	f.Fuzz(func(t *testing.T, text, word string) {
		if hasWord(text, word) && !strings.Contains(text, word) {
			t.Fatalf("%q is not in %q", word, text)
		}
	})
}
