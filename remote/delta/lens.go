package delta

import (
	"fmt"
	"io"
)

// A lens reads a file in large parts, for somebody who goes through it.
type lens struct {
	file  io.ReaderAt
	size  int64
	ahead int // bytes that are read at once
	at    int64
	have  []byte
	err   error
}

// view is n bytes from at, nil where the file has not so many or cannot be read, of which
// err then tells. They are good until the next view.
func (l *lens) view(at int64, n int) []byte {
	if l.err != nil || at < 0 || at > l.size-int64(n) {
		return nil
	}
	if at < l.at || at+int64(n) > l.at+int64(len(l.have)) {
		if l.have == nil {
			l.have = make([]byte, l.ahead)
		}
		l.at, l.have = at, l.have[:min(int64(cap(l.have)), l.size-at)]
		if l.err = readAt(l.file, l.have, at); l.err != nil {
			return nil
		}
	}
	return l.have[at-l.at:][:n]
}

// readAt fills b with what the old file has from an offset on.
func readAt(old io.ReaderAt, b []byte, at int64) error {
	if _, err := io.ReadFull(io.NewSectionReader(old, at, int64(len(b))), b); err != nil {
		return fmt.Errorf("read the old file: %w", err)
	}
	return nil
}
