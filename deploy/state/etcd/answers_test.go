package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// A between stands between us and etcd.
type between struct {
	*httptest.Server
	to string

	mu   sync.Mutex
	lose int                    // answers of transactions that are still to be lost
	keep func(body []byte) bool // transactions that are kept back
	kept []func() (int, []byte) // to be sent later
	seen map[string]int
}

func newBetween(t *testing.T, to string) *between {
	b := &between{to: to, seen: map[string]int{}}
	b.Server = httptest.NewServer(http.HandlerFunc(b.pass))
	t.Cleanup(b.Close)
	return b
}

func (b *between) pass(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	send := func() (int, []byte) {
		resp, err := http.Post("http://"+b.to+r.URL.Path, "", bytes.NewReader(body))
		if err != nil {
			return http.StatusBadGateway, nil
		}
		defer resp.Body.Close()
		out, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, out
	}
	b.mu.Lock()
	b.seen[r.URL.Path]++
	write := strings.HasSuffix(r.URL.Path, "/txn") && bytes.Contains(body, []byte("request_put")) || strings.Contains(r.URL.Path, "lease/")
	if write && b.keep != nil && b.keep(body) {
		b.kept = append(b.kept, send)
		b.keep = nil
		b.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	lose := write && b.lose > 0
	if lose {
		b.lose--
	}
	b.mu.Unlock()
	code, out := send()
	if lose {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(code)
	_, _ = w.Write(out)
}

func (b *between) losing(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose = n
}

func (b *between) store(t *testing.T) *Store {
	s := New("shop", Config{Endpoints: []string{b.Listener.Addr().String()}, Prefix: "/" + t.Name(), Try: time.Second})
	t.Cleanup(s.Close)
	return s
}

// Every answer to what is written is lost once: what was done is found done, and not done
// again.
func TestALostAnswerIsReadBack(t *testing.T) {
	b := newBetween(t, three(t)[0].client)
	s := b.store(t)
	b.losing(2) // of the grant, and of the lock
	ctx, l := acquire(t, s, ana, state.Terms{Beat: time.Minute})
	b.losing(1)
	epoch, err := state.Raise(ctx, []*Store{s})
	ok(t, err)
	equal(t, epoch, 1)
	b.losing(2)
	ok(t, s.Write(ctx, epoch, "r1", []string{`{"kind":"note","rollout":"r1"}`}))
	all, err := s.Journals(ctx)
	ok(t, err)
	equal(t, len(all[0].Records), 1)
	b.losing(1)
	was, err := s.Freeze(ctx, state.Freeze{Reason: "r", Who: "w"})
	ok(t, err)
	equal(t, was == nil, true)
	b.losing(1) // of the revocation
	l.Release()
	saw, err := s.Sight(t.Context())
	ok(t, err)
	equal(t, saw.Holder == nil, true)
}

// A keep-alive that ends in an error inside an answer of HTTP's 200 is none.
func TestAnErrorInTheStreamKeepsNothing(t *testing.T) {
	var no atomic.Bool
	to := three(t)[0].client
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if no.Load() && strings.HasSuffix(r.URL.Path, "keepalive") {
			_, _ = io.WriteString(w, `{"error":{"code":14,"message":"etcdserver: no leader"}}`)
			return
		}
		resp, err := http.Post("http://"+to+r.URL.Path, "", r.Body)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	defer b.Close()
	s := New("shop", Config{Endpoints: []string{b.Listener.Addr().String()}, Prefix: "/" + t.Name()})
	t.Cleanup(s.Close)
	ctx, l := acquire(t, s, ana, short)
	time.Sleep(1500 * time.Millisecond)
	ok(t, ctx.Err())
	no.Store(true)
	says(t, ends(t, ctx, 2*time.Second), "lock lost on etcd: no answer for 1s", "FD-LOCK-LOST", hintStatus)
	l.Release()
}

// A piece of a journal is under way while another run takes over: it comes to nothing.
func TestALateWriteComesToNothing(t *testing.T) {
	members := three(t)
	b := newBetween(t, members[0].client)
	s := b.store(t)
	ctx, l := acquire(t, s, ana, state.Terms{Beat: time.Minute})
	epoch, err := state.Raise(ctx, []*Store{s})
	ok(t, err)
	ok(t, s.Write(ctx, epoch, "r1", []string{`{"kind":"note","rollout":"r1","host":"web1"}`}))
	b.mu.Lock()
	b.keep = func(body []byte) bool { return bytes.Contains(body, []byte("request_put")) }
	b.mu.Unlock()
	ok(t, s.Write(ctx, epoch, "r1", []string{`{"kind":"note","rollout":"r1","host":"web2"}`})) // sent again by itself
	l.Release()
	ctx, _ = acquire(t, s, bob, state.Terms{Beat: time.Minute})
	_, err = state.Raise(ctx, []*Store{s})
	ok(t, err)
	code, out := b.kept[0]()
	if code != http.StatusOK || bytes.Contains(out, []byte("succeeded")) {
		t.Errorf("the late write: %d %s", code, out)
	}
	all, err := s.Journals(ctx)
	ok(t, err)
	equal(t, len(all[0].Records), 2)
}

// A plan of thousands of hosts is larger than a request to etcd may be; a run that dies in
// the middle of it spoils nothing that is written after it.
func TestALargeRecordIsWrittenInPieces(t *testing.T) {
	members := three(t)
	s := deployer(t, "shop", members)
	ctx, _ := acquire(t, s, ana, state.Terms{})
	epoch, err := state.Raise(ctx, []*Store{s})
	ok(t, err)
	ok(t, s.list(ctx, s.held, epoch, "r1"))
	ok(t, s.write(ctx, s.held, epoch, put(s.piece(epoch, "r1"), `{"kind":"plan","rollout":"r1","detail":"torn`, "")))
	book := state.NewBook([]*Store{s}, epoch)
	ok(t, book.Append(ctx, deploy.Record{Rollout: "r1", Kind: "plan", Plan: &deploy.Plan{Rollout: "r1"}, Detail: strings.Repeat("0123456789", 250<<10)}))
	ok(t, book.Append(ctx, deploy.Record{Rollout: "r1", Kind: "end", Outcome: deploy.OutcomeDone}))
	all, err := s.Journals(ctx)
	ok(t, err)
	equal(t, all[0].Torn, 1)
	equal(t, len(all[0].Records), 2)
	equal(t, len(all[0].Records[0].Detail), 2500<<10)
	equal(t, all[0].Unfinished(), false)
}

func TestOldJournalsGo(t *testing.T) {
	s := deployer(t, "shop", three(t))
	ctx, _ := acquire(t, s, ana, state.Terms{})
	epoch, err := state.Raise(ctx, []*Store{s})
	ok(t, err)
	for i := range kept + 5 {
		ok(t, s.Write(ctx, epoch, fmt.Sprintf("20261121-%04d", i), []string{"{}"}))
	}
	names, err := s.rollouts(ctx, 0)
	ok(t, err)
	equal(t, len(names), kept+1)
	equal(t, names[0], "20261121-0104")
	var r rangeResponse
	ok(t, s.client.ask(ctx, "test", "kv/range", rangeRequest{Key: s.key("journal/"), End: after(s.key("journal/"))}, &r))
	equal(t, len(r.KVs), kept+1)
}

func TestWhatIsWrongWithEtcdIsSaid(t *testing.T) {
	members := three(t)
	nobody := port(t)
	s := New("shop", Config{Endpoints: []string{nobody}, Prefix: "/x", Try: 200 * time.Millisecond})
	defer s.Close()
	began := time.Now()
	err := s.Prepare(t.Context())
	within(t, "nobody there", time.Since(began), 0, 2*time.Second)
	says(t, err, "etcd: reach it: no member can be reached: "+nobody, "FD-STORE-UNREACHABLE",
		"see that etcd runs there and may be reached from here: etcdctl --endpoints "+nobody+" endpoint status")
	equal(t, strings.Join(evidence(err), "\n"), nobody+": connect: connection refused")

	members[0].stop(t)
	members[1].stop(t)
	s = New("shop", Config{Endpoints: endpoints(members), Prefix: "/x", Try: 200 * time.Millisecond, Wait: time.Second})
	defer s.Close()
	err = s.Prepare(t.Context())
	members[0].cont(t)
	members[1].cont(t)
	says(t, err, "etcd: reach it: no answer that a majority of the members stands behind within 1s", "FD-STORE-QUORUM",
		"bring more of its members back: etcdctl --endpoints "+strings.Join(endpoints(members), ",")+" endpoint health")
	equal(t, evidence(err)[0], members[0].client+": no answer")
	await(t, members)

	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	s = New("shop", Config{Endpoints: []string{page.Listener.Addr().String()}, Prefix: "/x"})
	defer s.Close()
	says(t, s.Prepare(t.Context()), `etcd: reach it: HTTP 404: "404 page not found"`, "FD-STORE-ANSWER", hintVersion)
}

func evidence(err error) []string {
	var e interface{ Evidence() []string }
	if !errors.As(err, &e) {
		return nil
	}
	return e.Evidence()
}
