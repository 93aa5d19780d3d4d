package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A client posts requests to whichever member answers.
type client struct {
	conf Config
	http *http.Client
	base string // scheme

	mu    sync.Mutex
	good  int // member that answered last
	token string
}

// The largest answer that is read: journals come in pages of far less.
const maxAnswer = 64 << 20

func newClient(c Config) *client {
	base := "http://"
	if c.TLS != nil {
		base = "https://"
	}
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: c.Try}).DialContext,
		TLSClientConfig:     c.TLS, // and no HTTP/2: a connection that is silent must not be waited for by others
		TLSHandshakeTimeout: c.Try,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
	}
	return &client{conf: c, base: base, http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// ask returns once a member has answered for the cluster. Members that cannot are passed
// over, again and again until ctx ends or Config.Wait has passed: a leader may be elected
// meanwhile. A request that no answer came to may have taken effect all the same, and may do
// so late: all that write are such that nothing comes of it.
func (c *client) ask(ctx context.Context, doing, method string, in, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.conf.Wait, errWaited)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err // nothing that is sent does that
	}
	tries := make([]error, len(c.conf.Endpoints))
	for round := 0; ; round++ {
		for _, n := range c.order() {
			err := c.try(ctx, n, method, body, out)
			var no *refusal
			switch {
			case err == nil:
				c.answered(n)
				return nil
			case errors.As(err, &no) && !no.passing():
				return no.fault(doing, c.conf.User != "")
			case ctx.Err() == nil || tries[n] == nil:
				tries[n] = err
			}
			if ctx.Err() != nil {
				return c.none(ctx, doing, tries)
			}
		}
		if !slices.ContainsFunc(tries, connected) && round > rounds(tries) {
			return c.none(ctx, doing, tries) // nobody is there: that does not pass in seconds
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return c.none(ctx, doing, tries)
		}
	}
}

// rounds are how often members that cannot be reached are tried, and ones that hang up: the
// cluster may just be starting.
func rounds(tries []error) int {
	if slices.ContainsFunc(tries, hungUp) {
		return 10
	}
	return 1
}

var errWaited = errors.New("waited long enough")

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// order is all members, the one that answered last first.
func (c *client) order() (all []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.conf.Endpoints {
		all = append(all, (c.good+i)%len(c.conf.Endpoints))
	}
	return all
}

func (c *client) answered(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.good = n
}

// try asks one member, once more with a new token where it does not know ours any more.
func (c *client) try(ctx context.Context, n int, method string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.conf.Try)
	defer cancel()
	fresh := false
	if c.conf.User != "" && c.known() == "" {
		if err := c.login(ctx, n); err != nil {
			return err
		}
		fresh = true
	}
	err := c.post(ctx, n, method, body, out)
	var no *refusal
	if errors.As(err, &no) && no.stale() && c.conf.User != "" && !fresh {
		if err := c.login(ctx, n); err != nil {
			return err
		}
		err = c.post(ctx, n, method, body, out)
	}
	return err
}

func (c *client) known() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

func (c *client) login(ctx context.Context, n int) error {
	body, err := json.Marshal(map[string]string{"name": c.conf.User, "password": c.conf.Password})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.token = ""
	c.mu.Unlock()
	var got struct {
		Token string `json:"token"`
	}
	if err := c.post(ctx, n, "auth/authenticate", body, &got); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = got.Token
	return nil
}

// post is one request to one member. A *refusal is etcd's own word.
func (c *client) post(ctx context.Context, n int, method string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+c.conf.Endpoints[n]+"/v3/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token := c.known(); token != "" {
		req.Header.Set("Authorization", token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // all that is wanted was read
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return refused(resp.StatusCode, data)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &refusal{HTTP: resp.StatusCode, Message: "not understood: " + brief(data)}
	}
	return nil
}

func brief(data []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	return fmt.Sprintf("%.200q", line)
}

// A refusal is what etcd says where it does not do what it was asked for.
type refusal struct {
	HTTP    int    `json:"-"`
	Code    int    `json:"code"` // gRPC's
	Message string `json:"message"`
}

func (r *refusal) Error() string { return r.Message }

func refused(status int, data []byte) *refusal {
	r := &refusal{}
	if json.Unmarshal(data, r) != nil || r.Message == "" {
		r = &refusal{Message: fmt.Sprintf("HTTP %d: %s", status, brief(data))}
	}
	r.HTTP = status
	return r
}

// gRPC's codes.
const (
	canceled     = 1
	invalid      = 3
	late         = 4
	notFound     = 5
	denied       = 7
	exhausted    = 8
	precondition = 9
	internal     = 13
	unavailable  = 14
	unauthentic  = 16
)

// passing tells that another member, or this one later, may do it.
func (r *refusal) passing() bool {
	return slices.Contains([]int{canceled, late, unavailable, internal}, r.Code) || r.stale() ||
		r.Code == exhausted && !r.full() || r.Code == 0 && r.HTTP >= http.StatusInternalServerError
}

// stale tells that our token is not known, or not any more: of late, or to this member.
func (r *refusal) stale() bool {
	return r.Code == unauthentic || strings.Contains(r.Message, "revision of auth store is old")
}

func (r *refusal) full() bool { return strings.Contains(r.Message, "database space exceeded") }
