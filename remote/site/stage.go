package site

import (
	"context"
	_ "embed"
	"io"
	"strconv"
	"strings"
)

//go:embed have.sh
var haveScript string

//go:embed tools.sh
var toolsLib string

//go:embed pull.sh
var pullLib string

//go:embed stage.sh
var stageScript string

// Stage is Ship on the plain way. sent is 0 when the release was there already; progress,
// unless nil, is told the bytes of each write as they go out.
func (s *Site) Stage(ctx context.Context, id string, a *Artifact, progress func(n int64)) (sent int64, err error) {
	tell := func(n, _ int64) {
		if progress != nil && n > 0 {
			progress(n)
		}
	}
	done, err := s.Ship(ctx, id, NewCargo(a, CargoOptions{Whole: true}), tell)
	return done.Sent, err
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
