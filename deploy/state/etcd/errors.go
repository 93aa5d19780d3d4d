package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

const (
	hintVersion = "flipdeploy speaks the JSON of etcd 3.4 and later, /v3/…, which --enable-grpc-gateway=false turns off"
	hintStatus  = "look at it with \"flipdeploy status\""
)

// A Fault is what etcd could not do, or we not with it.
type Fault struct {
	Doing, Why string
	code, hint string
	members    []string
	unknown    bool
	said       *refusal // nil where etcd said nothing
}

func (e *Fault) Error() string { return "etcd: " + e.Doing + ": " + e.Why }

// Code is the fault's own.
func (e *Fault) Code() string { return e.code }

// Hint is the next step.
func (e *Fault) Hint() string { return e.hint }

// Evidence is what each member said.
func (e *Fault) Evidence() []string { return e.members }

// OutcomeUnknown is true where what was asked for may have been done.
func (e *Fault) OutcomeUnknown() bool { return e.unknown }

// fault is the refusal as it is told, to somebody or to nobody.
func (r *refusal) fault(doing string, asked bool) *Fault {
	f := &Fault{Doing: doing, Why: r.Message, said: r, code: "FD-STORE-ANSWER", hint: hintVersion}
	switch {
	case r.Code == denied && asked:
		f.code, f.hint = "FD-STORE-AUTH", "let the user of state.store_user read and write below the prefix: etcdctl role grant-permission ROLE readwrite PREFIX --prefix=true"
	case r.Code == denied || strings.Contains(r.Message, "authentication") || strings.Contains(r.Message, "user name is empty") || r.stale():
		f.code, f.hint = "FD-STORE-AUTH", "correct state.store_user and state.store_password, or what they are taken from"
	case strings.Contains(r.Message, "CommonName of client"):
		f.code, f.hint = "FD-STORE-AUTH", "with users, etcd takes from us no certificate with a CommonName: give state.store_cert one without"
	case r.full():
		f.code, f.hint = "FD-STORE-FULL", "make room in etcd: etcdctl compact, etcdctl defrag, etcdctl alarm disarm"
	}
	return f
}

const (
	hintEnded  = "one side may speak TLS and the other not: set state.store_ca, or state.store_tls"
	hintSecure = "see that state.store_ca has signed the members' certificates, that these name the address in state.store, and that state.store_cert is one that they take"
)

// none is why no member answered for the cluster.
func (c *client) none(ctx context.Context, doing string, tries []error) error {
	if why := context.Cause(ctx); why != nil && !errors.Is(why, errWaited) && !errors.Is(why, context.DeadlineExceeded) {
		if lost := (*state.LostError)(nil); errors.As(why, &lost) {
			return lost
		}
		return fmt.Errorf("etcd: %s: %w", doing, why)
	}
	f := &Fault{Doing: doing, code: "FD-STORE-UNREACHABLE", Why: "no member can be reached: " + strings.Join(c.conf.Endpoints, ", "),
		hint: "see that etcd runs there and may be reached from here: etcdctl --endpoints " + strings.Join(c.conf.Endpoints, ",") + " endpoint status"}
	secure, ended := false, false
	for n, err := range tries {
		if err != nil {
			f.members = append(f.members, c.conf.Endpoints[n]+": "+strings.ReplaceAll(last(err), "\n", " "))
		}
		switch {
		case isTLS(err):
			secure = true
		case hungUp(err):
			ended = true
		case connected(err):
			f.unknown = true
		}
	}
	switch {
	case f.unknown:
		f.code, f.Why = "FD-STORE-QUORUM", fmt.Sprintf("no answer that a majority of the members stands behind within %s", c.conf.Wait)
		f.hint = "bring more of its members back: etcdctl --endpoints " + strings.Join(c.conf.Endpoints, ",") + " endpoint health"
	case ended:
		f.code, f.Why, f.hint, f.unknown = "FD-STORE-TLS", "every member that was reached ended the connection", hintEnded, true
	case secure:
		f.code, f.Why, f.hint = "FD-STORE-TLS", "no member and we agree on TLS", hintSecure
	}
	return f
}

// last is the innermost of what was wrong, without the URL.
func last(err error) string {
	var u interface{ Timeout() bool }
	if errors.As(err, &u) && u.Timeout() && connected(err) {
		return "no answer"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// hungUp tells that a member ended the connection without a word: one that dies does, and
// one that is spoken to with TLS, or without, against its wont.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// connected tells that a member took the request, as far as one can see.
func connected(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	return err != nil && !isTLS(err) && !hungUp(err)
}

func isTLS(err error) bool {
	var (
		record  tls.RecordHeaderError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		alert   tls.AlertError
		op      *net.OpError
	)
	return errors.As(err, &record) || errors.As(err, &cert) || errors.As(err, &unknown) || errors.As(err, &alert) ||
		errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
