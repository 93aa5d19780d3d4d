package site

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"
)

//go:embed have.sh
var haveScript string

//go:embed stage.sh
var stageScript string

// Stage returns once release id is complete on the host, its sha256 compared
// there. sent is 0 when it was there already. progress, unless nil, is told the
// bytes of each write as they go out. Nothing that runs is touched.
func (s *Site) Stage(ctx context.Context, id string, a *Artifact, progress func(n int64)) (sent int64, err error) {
	if err := checkID(id); err != nil {
		return 0, err
	}
	v := vars{"id": id, "hash": a.SHA256, "size": strconv.FormatInt(a.Size, 10), "kind": string(a.Kind)}
	out, err := s.thorough(ctx, haveScript, v)
	if err != nil || string(out) == "have\n" {
		return 0, err
	}
	if text := a.room(parseFree(string(out))); text != "" {
		text, hint := s.words("FD-NO-SPACE", text)
		return 0, &Error{text: text, code: "FD-NO-SPACE", hint: hint}
	}
	return s.upload(ctx, v, a, progress)
}

func (s *Site) upload(ctx context.Context, v vars, a *Artifact, progress func(n int64)) (sent int64, err error) {
	if err := a.unchanged(); err != nil {
		return 0, err
	}
	payload := &counter{r: a.Reader(), tell: progress}
	out, err := s.m.Stream(ctx, s.script(stageScript, v), payload)
	if err != nil {
		if changed := a.unchanged(); changed != nil {
			return payload.n, changed
		}
		return payload.n, s.explain(err)
	}
	if string(out) != "staged\n" {
		return payload.n, fmt.Errorf("stage: the host answered %.100q", out)
	}
	return payload.n, nil
}

// parseFree reads "free BYTES INODES"; what is not told is -1.
func parseFree(line string) (bytes, inodes int64) {
	at := func(fields []string, i int) int64 {
		if i < len(fields) {
			if n, err := strconv.ParseInt(fields[i], 10, 64); err == nil {
				return n
			}
		}
		return -1
	}
	fields := strings.Fields(line)
	return at(fields, 1), at(fields, 2)
}

// A counter tells what passes.
type counter struct {
	r    io.Reader
	n    int64
	tell func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if n > 0 && c.tell != nil {
		c.tell(int64(n))
	}
	return n, err
}
