// Package origin knows where an artifact is fetched: at an address of https, or in a store
// that speaks S3. What is secret about it (keys, tokens, signatures) stands in no error and
// no text.
package origin

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// An Origin is one file that can be fetched.
type Origin struct {
	at    *url.URL // of https; nil: the file is in a store
	store *store
}

// Is tells an origin from a path of this machine.
func Is(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "s3://")
}

// Parse reads https://… or s3://bucket/key. getenv has what is known of the store: the
// variables that AWS's own tools read.
func Parse(text string, getenv func(string) string) (*Origin, error) {
	u, err := Check(text)
	if err != nil {
		return nil, &Error{Where: "app.artifact", Code_: "FD-ARTIFACT", Err: err, Hint_: "give a path, https://HOST/FILE or s3://BUCKET/KEY"}
	}
	if u.Scheme == "https" {
		return &Origin{at: u}, nil
	}
	s, err := storeOf(u, getenv)
	if err != nil {
		return nil, err
	}
	return &Origin{store: s}, nil
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Check is nil when text is an origin. Its error does not repeat the text: that may hold a
// token.
func Check(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || !Is(text):
		return nil, errors.New("it is no address of https:// or s3://")
	case u.Host == "" || u.Fragment != "" || strings.HasSuffix(u.Path, "/") || u.Path == "":
		return nil, errors.New("it names no file: https://HOST/FILE or s3://BUCKET/KEY")
	case u.Scheme == "s3" && !bucketName.MatchString(u.Host):
		return nil, fmt.Errorf("%q is no name of a bucket", u.Host)
	case u.Scheme == "s3" && (u.RawQuery != "" || u.User != nil):
		return nil, errors.New("nothing but s3://BUCKET/KEY can be said of an object")
	}
	return u, nil
}

// String is where it is, with nothing that lets anybody in.
func (o *Origin) String() string {
	if o.store != nil {
		return o.store.String()
	}
	return (&url.URL{Scheme: o.at.Scheme, Host: o.at.Host, Path: o.at.Path}).String()
}

// Name is the file's own name.
func (o *Origin) Name() string {
	if o.store != nil {
		return path.Base(o.store.key)
	}
	return path.Base(o.at.Path)
}

// Beside is the file whose name is that one's and ending.
func (o *Origin) Beside(ending string) *Origin {
	if o.store != nil {
		s := *o.store
		s.key += ending
		return &Origin{store: &s}
	}
	u := *o.at
	u.Path, u.RawPath = u.Path+ending, ""
	return &Origin{at: &u}
}

// Address is where anybody can fetch it for the next quarter of an hour; a secret.
func (o *Origin) Address(ctx context.Context) (string, error) {
	if o.store != nil {
		return o.store.presigned(ctx)
	}
	return o.at.String(), nil
}

// Redirects is how many may be followed, each by https again. A signature holds for one
// address.
func (o *Origin) Redirects() int {
	if o.store != nil {
		return 0
	}
	return 5
}
