package remote

import (
	"bytes"
	"fmt"
	"sync"
)

// A capture keeps the head and the tail of what is written to it and counts the
// rest, so that endless output costs no memory.
type capture struct {
	mu    sync.Mutex
	half  int
	head  []byte
	tail  []byte // the last bytes after head; up to twice half before it is cut
	total int64
}

func newCapture(limit int) *capture { return &capture{half: max(limit/2, 1)} }

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(p)
	c.total += int64(n)
	if room := c.half - len(c.head); room > 0 {
		k := min(room, len(p))
		c.head = append(c.head, p[:k]...)
		p = p[k:]
	}
	c.keepTail(p)
	return n, nil
}

func (c *capture) keepTail(p []byte) {
	if len(p) > c.half {
		p = p[len(p)-c.half:]
	}
	c.tail = append(c.tail, p...)
	if len(c.tail) > 2*c.half {
		c.tail = append(c.tail[:0], c.tail[len(c.tail)-c.half:]...)
	}
}

// bytes is all that was written, and 0, or head and tail with a note between
// them, and the number of bytes left out.
func (c *capture) bytes() (text []byte, cut int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tail := c.tail[max(0, len(c.tail)-c.half):]
	if cut = c.total - int64(len(c.head)+len(tail)); cut == 0 {
		return append(bytes.Clone(c.head), tail...), 0
	}
	note := fmt.Sprintf("\n[… %d bytes left out …]\n", cut)
	return append(append(bytes.Clone(c.head), note...), tail...), cut
}

func (c *capture) count() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}
