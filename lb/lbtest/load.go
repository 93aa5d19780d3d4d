package lbtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A Load is traffic that retries nothing: every error, every status but 200 and
// every short body is a failure.
type Load struct {
	addr  string
	stop  chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex
	done  map[string]int // by kind
	by    map[string]int // by host that answered
	fails []string
}

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
	t.Logf("load: %v by %v, %d failed", l.done, l.by, len(l.fails))
}

// By is how many requests host has answered.
func (l *Load) By(host string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by[host]
}

func (l *Load) client(kind, path, cookie string, keep bool, think time.Duration) {
	var c net.Conn
	var r *bufio.Reader
	defer func() { drop(c) }()
	for l.next(think) {
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", l.addr); err != nil {
				l.count(kind, "", err)
				continue
			}
			r = bufio.NewReader(c)
		}
		host, err := ask(c, r, path, cookie, keep)
		l.count(kind, host, err)
		if err != nil || !keep {
			drop(c)
			c = nil
		}
	}
}

func drop(c net.Conn) {
	if c != nil {
		c.Close()
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
