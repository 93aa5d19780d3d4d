package lbtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Load is traffic that retries nothing: every error, every status but 200 and
// every short body is a failure. Told to reopen, it does what browsers do: a request
// on a connection that was used before, closed without a byte of answer, is sent once
// more on a new one.
type Load struct {
	addr  string
	stop  chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex
	done  map[string]int // by kind
	by    map[string]int // by host that answered
	fails []string

	reopen atomic.Bool
	again  atomic.Int64
}

// Reopen says whether closed keep-alive connections are opened anew.
func (l *Load) Reopen(on bool) { l.reopen.Store(on) }

// Reopened is how often that was needed.
func (l *Load) Reopened() int64 { return l.again.Load() }

// StartLoad sends keep-alive requests, requests on fresh connections and slow ones
// to addr until Stop. Cookie is sent with each, when not empty.
func StartLoad(t testing.TB, addr, cookie string) *Load {
	l := &Load{addr: addr, stop: make(chan struct{}), done: map[string]int{}, by: map[string]int{}}
	for range 4 {
		l.wg.Go(func() { l.client("keep-alive", "/", cookie, true, 4*time.Millisecond) })
	}
	for range 2 {
		l.wg.Go(func() { l.client("fresh", "/", cookie, false, 4*time.Millisecond) })
	}
	for range 2 {
		l.wg.Go(func() { l.client("slow", "/slow?for=400ms", cookie, true, 0) })
	}
	t.Cleanup(func() { l.end() })
	return l
}

func (l *Load) end() {
	l.mu.Lock()
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// Stop ends the traffic and fails t for each request that failed.
func (l *Load) Stop(t testing.TB) {
	t.Helper()
	l.end()
	for i, f := range l.fails {
		if i < 5 {
			t.Errorf("request failed: %s", f)
		}
	}
	t.Logf("load: %v by %v, %d reopened, %d failed", l.done, l.by, l.Reopened(), len(l.fails))
}

// Count ends the traffic and tells how many requests failed, of how many.
func (l *Load) Count() (failed, sent int) {
	l.end()
	for _, n := range l.done {
		sent += n
	}
	return len(l.fails), sent
}

// By is how many requests host has answered.
func (l *Load) By(host string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by[host]
}

func (l *Load) client(kind, path, cookie string, keep bool, think time.Duration) {
	k := &kept{addr: l.addr, path: path, cookie: cookie, keep: keep}
	defer k.close()
	for l.next(think) {
		used := k.used
		host, err := k.ask()
		if err != nil && used && k.silent && l.reopen.Load() {
			l.again.Add(1)
			host, err = k.ask()
		}
		l.count(kind, host, err)
	}
}

// A kept is one client's connection.
type kept struct {
	addr, path, cookie string
	keep               bool

	c      *counted
	r      *bufio.Reader
	used   bool // an answer came over it before
	silent bool // the last request got not one byte
}

// A counted is a connection that knows how many bytes came.
type counted struct {
	net.Conn
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n += n
	return n, err
}

// ask sends one request, on the connection that is there or a new one. After an error
// there is none.
func (k *kept) ask() (string, error) {
	if k.c == nil {
		c, err := net.Dial("tcp", k.addr)
		if err != nil {
			return "", err
		}
		k.c, k.used = &counted{Conn: c}, false
		k.r = bufio.NewReader(k.c)
	}
	before := k.c.n
	host, err := ask(k.c, k.r, k.path, k.cookie, k.keep)
	k.silent = k.c.n == before
	k.used = true
	if err != nil || !k.keep {
		k.c.Close()
		k.c, k.used = nil, false
	}
	return host, err
}

func (k *kept) close() {
	if k.c != nil {
		k.c.Close()
	}
}

func (l *Load) next(think time.Duration) bool {
	select {
	case <-l.stop:
		return false
	case <-time.After(think):
		return true
	}
}

func (l *Load) count(kind, host string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[kind]++
	if err != nil {
		l.fails = append(l.fails, kind+": "+err.Error())
		return
	}
	l.by[host]++
}

func ask(c net.Conn, r *bufio.Reader, path, cookie string, keep bool) (string, error) {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	head := "GET " + path + " HTTP/1.1\r\nHost: shop\r\n"
	if cookie != "" {
		head += "Cookie: " + cookie + "\r\n"
	}
	if !keep {
		head += "Connection: close\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return string(body), err
}

// Get asks once, on a connection of its own.
func Get(addr, path, cookie string) (string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return ask(c, bufio.NewReader(c), path, cookie, false)
}
