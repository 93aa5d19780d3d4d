package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// An Error tells why a file cannot be fetched from here.
type Error struct {
	Where        string // "artifact s3://…", without secrets
	Code_, Hint_ string
	Err          error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Where, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Code is the stable code.
func (e *Error) Code() string { return e.Code_ }

// Hint is the next step for a person.
func (e *Error) Hint() string { return e.Hint_ }

// refused is the error for an answer that is not the file. Nothing of the server's is
// repeated but the word that S3 has for it.
func (o *Origin) refused(status int, word string) error {
	text := fmt.Sprintf("the server answers %d %s", status, http.StatusText(status))
	if word != "" {
		text += " (" + word + ")"
	}
	e := &Error{Where: "artifact " + o.String(), Code_: "FD-FETCH", Err: errors.New(text), Hint_: "look at it from here with curl; then run it again"}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Code_, e.Hint_ = "FD-FETCH-DENIED", "see that the token or the key is right, has not expired, and may read the file"
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Code_, e.Hint_ = "FD-FETCH-MISSING", "upload it, or correct app.artifact"
	case status >= 300 && status <= 400 && o.store != nil: // signed for another region
		e.Hint_ = "set AWS_REGION to the bucket's region"
	}
	return e
}

// broken is the error for a file that did not come.
func (o *Origin) broken(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // its text has the whole address
	}
	if strings.HasPrefix(err.Error(), "failed to parse Location header") {
		err = errors.New("it leads to what is no address") // which may be one that is signed
	}
	e := &Error{Where: "artifact " + o.String(), Code_: "FD-FETCH", Err: err, Hint_: "run it again"}
	var cert *tls.CertificateVerificationError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
	case errors.As(err, &cert):
		e.Code_, e.Hint_ = "FD-FETCH-TLS", "add the authority to this machine's trust store; SSL_CERT_FILE names another one"
	case errors.As(err, &dns), errors.As(err, &op):
		e.Code_, e.Hint_ = "FD-FETCH-UNREACHABLE", "see that this machine reaches the server: names, routes, https_proxy"
	}
	return e
}
