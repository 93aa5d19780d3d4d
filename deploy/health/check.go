// Package health asks an app whether it is well: straight, on a fresh connection
// each time, and never longer or with more bytes than it was told. What answers
// is not trusted: it may be slow, endless, another release, or not HTTP at all.
package health

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Dialer connects from where the question is asked: this machine, or another
// one through SSH. It must return when ctx ends.
type Dialer interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
}

// Kinds of checks.
const (
	HTTP = "http" // a good answer is a status, and a body that contains a text
	TCP  = "tcp"  // a good answer is a connection
	// Command is run on the host; a good answer is its end with 0.
	Command = "command"
)

// A Check says what is asked and what a good answer is. Zero fields mean the
// defaults of the inventory: http, /health, 200, three in a row, 200ms apart,
// each within 2s, all within 30s.
type Check struct {
	Kind        string
	Scheme      string // http or https
	Path        string
	Host        string         // Host header and TLS server name; "" means the address
	CA          *x509.CertPool // nil means the system's
	Port        int            // for addresses without one
	Status      Status
	Body        string // the body must contain it
	Command     []string
	Rise        int
	Interval    time.Duration // from the start of one question to the next
	Timeout     time.Duration // of one question, its whole body included
	Deadline    time.Duration // of Wait
	VersionPath string        // answers the revision
}

// Status tells which status codes are good; the zero value means 200 only.
type Status struct {
	Codes []int
	Class int // 2 means every 2xx
}

// Match tells whether code is good.
func (s Status) Match(code int) bool {
	if len(s.Codes) == 0 && s.Class == 0 {
		return code == 200
	}
	for _, c := range s.Codes {
		if c == code {
			return true
		}
	}
	return s.Class != 0 && code/100 == s.Class
}

// LoadCA reads the certificates of a PEM file.
func LoadCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("health.ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("health.ca: %s: no PEM certificate in it", file)
	}
	return pool, nil
}

func (c Check) filled() Check {
	c.Kind = or(c.Kind, HTTP)
	c.Scheme = or(c.Scheme, "http")
	c.Path = or(c.Path, "/health")
	c.Rise = or(c.Rise, 3)
	c.Interval = or(c.Interval, 200*time.Millisecond)
	c.Timeout = or(c.Timeout, 2*time.Second)
	c.Deadline = or(c.Deadline, 30*time.Second)
	return c
}

func or[T comparable](v, standard T) T {
	var zero T
	if v == zero {
		return standard
	}
	return v
}

// target is addr with a port.
func (c Check) target(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), strconv.Itoa(c.Port))
}
