package delta

import (
	"fmt"
	"io"
)

// A lens reads a file in large parts, for somebody who goes through it.
type lens struct {
	file io.ReaderAt
	size int64
	at   int64
	have []byte
	err  error
}

// view is n bytes from at, nil where the file has not so many or cannot be read, of which
// err then tells. They are good until the next view.
func (l *lens) view(at int64, n int) []byte {
	if l.err != nil || at < 0 || at > l.size-int64(n) {
		return nil
	}
	if at < l.at || at+int64(n) > l.at+int64(len(l.have)) {
		if l.have == nil {
			l.have = make([]byte, 64<<10)
		}
		l.at, l.have = at, l.have[:min(int64(cap(l.have)), l.size-at)]
		if _, err := io.ReadFull(io.NewSectionReader(l.file, at, int64(len(l.have))), l.have); err != nil {
			l.err = fmt.Errorf("read the old file: %w", err)
			return nil
		}
	}
	return l.have[at-l.at:][:n]
}
