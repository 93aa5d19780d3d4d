package site

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed kept.sh
var keptLib string

//go:embed find.sh
var findScript string

//go:embed adopt.sh
var adoptScript string

// Adopted is the revision of a release that was made of what was found.
const Adopted = "adopted"

// A Program is what a process runs, as the kernel tells it.
type Program struct {
	PID         int
	Exe         string // " (deleted)" included
	Sign        string // inode:size:mtime, by which its file is told from any other
	Interpreted bool   // Exe runs a program that is not itself
}

// A Find is an app that flipdeploy did not install, as it is found on the host.
// Adopt makes it the way back.
type Find struct {
	ID      string // release that it becomes; "" when it cannot become one, or nothing is there
	Why     string // why it cannot: there is no way back to it
	NoEntry bool   // what current points at has no program of that name
	Link    string // text of the current link, "" without one
	Via     string // text of the binary, where that is a link itself
	Kind    string // dir: all that current points at; file: the program alone
	Source  string
	Sign    string // of the program
	Hash    string // sha256 of the program
	Bytes   int64
}

// Find reads what the app was installed as, and changes nothing. The program of p
// must provably be a file that can be read: by inode, size and time; the zero
// Program is for an app that does not run.
func (s *Site) Find(ctx context.Context, p Program) (Find, error) {
	if p.Interpreted {
		return Find{Why: fmt.Sprintf("pid %d runs %s, an interpreter: what it runs cannot be told", p.PID, p.Exe)}, nil
	}
	out, err := s.thorough(ctx, keptLib+findScript, vars{"pid": strconv.Itoa(p.PID), "exe": p.Exe, "sign": p.Sign})
	if err != nil {
		return Find{}, err
	}
	f := Find{Sign: p.Sign}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if err := f.learn(key, value); err != nil {
			return f, fmt.Errorf("find: %s: %w", key, err)
		}
	}
	if f.Why == "" && len(f.Hash) == 64 {
		f.ID = Adopted + "-" + f.Hash[:8]
	}
	return f, nil
}

func (f *Find) learn(key, value string) (err error) {
	switch key {
	case "why":
		f.Why = value
	case "noentry":
		f.NoEntry = true
	case "link":
		f.Link = value
	case "via":
		f.Via = value
	case "dir", "file":
		f.Kind, f.Source = key, value
	case "sign":
		f.Sign = value
	case "hash":
		f.Hash = value
	case "bytes":
		f.Bytes, err = strconv.ParseInt(value, 10, 64)
	}
	return err
}

// Adopt returns once what was found is kept as release f.ID, its program's sha256
// compared, and a flip to it leaves the host as found: the same text in current, or
// none; the same bytes at the binary. What runs and what is installed are untouched.
func (s *Site) Adopt(ctx context.Context, f Find) error {
	if err := checkID(f.ID); err != nil {
		return err
	}
	out, err := s.thorough(ctx, keptLib+adoptScript, vars{"id": f.ID, "kind": f.Kind, "source": f.Source, "link": f.Link,
		"via": f.Via, "sign": f.Sign, "hash": f.Hash, "size": strconv.FormatInt(f.Bytes, 10)})
	if err == nil && string(out) != "adopted\n" {
		err = fmt.Errorf("adopt: the host answered %.100q", out)
	}
	return err
}
