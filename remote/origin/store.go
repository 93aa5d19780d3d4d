package origin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

// valid is how long an address lets who has it begin to fetch. Every host gets its own
// when it is its turn.
const valid = 15 * time.Minute

// A store is an object in a bucket of a server that speaks S3.
type store struct {
	endpoint    *url.URL // nil: AWS
	region      string
	bucket, key string
	who         aws.Credentials
	now         func() time.Time
}

func storeOf(u *url.URL, getenv func(string) string) (*store, error) {
	s := &store{bucket: u.Host, key: strings.TrimPrefix(u.Path, "/"), now: time.Now,
		region: first(getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), "us-east-1")}
	if text := first(getenv("AWS_ENDPOINT_URL_S3"), getenv("AWS_ENDPOINT_URL")); text != "" {
		e, err := url.Parse(text)
		if err != nil || e.Host == "" || e.Scheme != "https" && e.Scheme != "http" || e.User != nil || e.RawQuery != "" {
			return nil, &Error{Where: "artifact " + s.String(), Code_: "FD-S3-ENDPOINT", Err: fmt.Errorf("AWS_ENDPOINT_URL is no address of a server"),
				Hint_: "set it to the server alone: AWS_ENDPOINT_URL_S3=https://s3.example.org"}
		}
		s.endpoint = e
	}
	var err error
	s.who, err = credentials(getenv)
	if err != nil {
		return nil, &Error{Where: "artifact " + s.String(), Code_: "FD-S3-CREDENTIALS", Err: err,
			Hint_: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY here; hosts need neither. What everybody may read is fetched by https://"}
	}
	return s, nil
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (s *store) String() string { return "s3://" + s.bucket + "/" + s.key }

// address is the object's, unsigned. Certificates of AWS are for names without further dots.
func (s *store) address() *url.URL {
	aws := "s3." + s.region + ".amazonaws.com"
	switch {
	case s.endpoint != nil:
		under := strings.TrimSuffix(s.endpoint.Path, "/")
		return &url.URL{Scheme: s.endpoint.Scheme, Host: s.endpoint.Host, Path: under + "/" + s.bucket + "/" + s.key}
	case strings.Contains(s.bucket, "."):
		return &url.URL{Scheme: "https", Host: aws, Path: "/" + s.bucket + "/" + s.key}
	}
	return &url.URL{Scheme: "https", Host: s.bucket + "." + aws, Path: "/" + s.key}
}

func (s *store) presigned(ctx context.Context) (string, error) {
	return s.sign(ctx, s.address(), valid)
}

func (s *store) sign(ctx context.Context, u *url.URL, d time.Duration) (string, error) {
	u.RawPath = httpbinding.EscapePath(u.Path, false) // what is signed: + and ( and others, too
	u.RawQuery = url.Values{"X-Amz-Expires": {strconv.Itoa(int(d.Seconds()))}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	asItIs := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true } // S3 alone signs so
	signed, _, err := v4.NewSigner(asItIs).PresignHTTP(ctx, s.who, r, "UNSIGNED-PAYLOAD", "s3", s.region, s.now())
	return signed, err
}
