package main

import (
	"errors"
	"sync"
)

// A pool holds the idle connections of one class to one target. They take turns,
// so that all of them stay in use.
type pool struct {
	target target

	mu     sync.Mutex
	idle   []*conn
	closed int // connections that the server closed between requests
}

// preopen adds one idle connection.
func (p *pool) preopen() error {
	c, err := dial(p.target.addr)
	if err != nil {
		return err
	}
	p.put(c)
	return nil
}

// once sends r on a connection that carries nothing else.
func (p *pool) once(r request) (version string, err error) {
	c, err := dial(p.target.addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	version, _, err = c.exchange(r, p.target.host, true)
	return version, err
}

// reuse sends r on the connection that was idle longest, on a new one when all
// are busy. A broken one is reported, never replaced for the same request.
func (p *pool) reuse(r request) (version string, err error) {
	c, err := p.take()
	if err != nil {
		return "", err
	}
	version, again, err := c.exchange(r, p.target.host, false)
	if !again {
		c.Close()
		return version, err
	}
	p.put(c)
	return version, err
}

// take returns a connection on which a request may be written.
func (p *pool) take() (*conn, error) {
	for {
		c := p.pop()
		if c == nil {
			return dial(p.target.addr)
		}
		err := c.idle()
		if err == nil {
			return c, nil
		}
		c.Close()
		if !errors.Is(err, errClosed) {
			return nil, err
		}
		p.mu.Lock()
		p.closed++
		p.mu.Unlock()
	}
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[0]
	p.idle = p.idle[1:]
	return c
}

func (p *pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

// close ends the idle connections and tells how many the server had ended.
func (p *pool) close() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		c.Close()
	}
	p.idle = nil
	return p.closed
}
