package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// A request knows what a right answer is.
type request struct {
	method string
	path   string
	body   []byte
	check  func(version string, body []byte) error
}

const echoSize = 2048

func getRoot(int) request { return request{method: "GET", path: "/", check: wholeLine} }

func getSlow(int) request { return request{method: "GET", path: "/slow?ms=1500", check: wholeLine} }

// postEcho sends bytes that no other request sends, so that an answer meant for
// another is noticed.
func postEcho(n int) request {
	body := make([]byte, echoSize)
	source := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	_, _ = source.Read(body)
	return request{method: "POST", path: "/echo", body: body, check: func(_ string, got []byte) error {
		if !bytes.Equal(got, body) {
			return fmt.Errorf("echo of %d bytes came back as %d others", len(body), len(got))
		}
		return nil
	}}
}

// wholeLine wants a line that names the version of the header.
func wholeLine(version string, body []byte) error {
	if !bytes.HasSuffix(body, []byte("\n")) || !strings.Contains(string(body), version) {
		return fmt.Errorf("unexpected body %.80q", body)
	}
	return nil
}

// bytes is the request as it goes out.
func (r request) bytes(host string, last bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: flipdeploy-load\r\n", r.method, r.path, host)
	if last {
		b.WriteString("Connection: close\r\n")
	}
	if r.body != nil {
		fmt.Fprintf(&b, "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n", len(r.body))
	}
	b.WriteString("\r\n")
	b.Write(r.body)
	return b.Bytes()
}
