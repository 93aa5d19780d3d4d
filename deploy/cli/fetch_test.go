package cli

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// What is wrong with an artifact that has to be fetched is told before a connection is
// tried, and no word of it holds a key or a signature.
func TestAFetchedArtifactIsVouchedForBeforeAnythingElse(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	key := remotetest.WriteKey(t, at("key"))
	objects, asked := map[string]string{}, 0
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		text, there := objects[r.URL.Path]
		switch {
		case !strings.Contains(r.URL.RawQuery, "X-Amz-Credential=canary-id%2F"):
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code></Error>"))
		case !there:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write([]byte(text))
		}
	}))
	defer store.Close()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": store.URL, "AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "canary-secret", "AWS_SESSION_TOKEN": "canary-session",
		"XDG_CACHE_HOME": at("cache"), "HOME": dir} {
		t.Setenv(name, value)
	}
	const program = "#!/bin/sh\necho one\n"
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(program)))
	says := func(line, code, text string, flags ...string) {
		t.Helper()
		write(t, at("inventory.toml"), strings.Replace(fmt.Sprintf(vouched, line), `artifact = "shop"`, `artifact = "s3://dist/shop"`, 1))
		e := flipdeploy(t, append([]string{"plan", "-i", at("inventory.toml")}, flags...)...)
		all := e.stdout + e.stderr
		if !strings.Contains(all, text) || !strings.Contains(all, "["+code+"]") {
			t.Errorf("%s: %d %s, want %s [%s]", line, e.code, all, text, code)
		}
		if strings.Contains(all, "canary") || strings.Contains(all, "X-Amz") {
			t.Errorf("a secret is told: %s", all)
		}
	}
	pin := `sha256 = "` + sum + `"`
	says(pin, "FD-FETCH-DENIED", "artifact s3://dist/shop: the server answers 403 Forbidden (AccessDenied)")
	t.Setenv("AWS_ACCESS_KEY_ID", "canary-id")
	says(pin, "FD-FETCH-MISSING", "artifact s3://dist/shop: the server answers 404 Not Found")
	objects["/dist/shop"] = "<html>"
	says(pin, "FD-ARTIFACT-SHA256", "artifact s3://dist/shop: its sha256 is "+fmt.Sprintf("%x", sha256.Sum256([]byte("<html>")))+", app.sha256 says "+sum)
	says(pin, "FD-ARTIFACT-SHA256", "hint: find out which of the two is right: fetch it by hand, then sha256sum shop\n")
	objects["/dist/shop"] = program
	says(pin, "FD-SSH-REFUSED", "web1: ")
	before := asked
	says(pin, "FD-SSH-REFUSED", "web1: ")
	if asked != before {
		t.Error("it was fetched again")
	}

	signers := pin + "\nallowed_signers = \"signers\""
	write(t, at("signers"), "ci@example.org "+strings.TrimSpace(read(t, key+".pub"))+"\n")
	says(signers, "FD-SIGNATURE", "artifact s3://dist/shop: its signature is not good: artifact s3://dist/shop.sig: the server answers 404 Not Found")
	says(signers, "FD-SIGNATURE", "hint: sign it, and put shop.sig beside it: ssh-keygen -Y sign -n flipdeploy -f KEY shop; or see who may: ")
	write(t, at("shop"), program)
	if out, err := exec.Command(remotetest.Need(t, "ssh-keygen"), "-q", "-Y", "sign", "-n", "flipdeploy", "-f", key, at("shop")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	objects["/dist/shop.sig"] = read(t, at("shop.sig"))
	says(signers, "FD-SSH-REFUSED", "web1: ")

	says(pin, "FD-USAGE", "--artifact: what is secret in an address is seen in a flag: write app.artifact with ${env:NAME} in the inventory", "--artifact", "https://example.org/shop?token=canary")
	says(pin, "FD-USAGE", "--artifact: it names no file: https://HOST/FILE or s3://BUCKET/KEY", "--artifact", "https://example.org/")
}

func TestThePlanSaysWhoFetches(t *testing.T) {
	for want, hosts := range map[string][]foretoldHost{
		"nothing: 2 hosts fetch 20.0 MB each from s3://dist/shop":                         {{Fetches: 20e6}, {Fetches: 20e6}, {}},
		"at most 20.0 MB: 20.0 MB to 1 hosts; 1 host fetches 20.0 MB from s3://dist/shop": {{Fetches: 20e6}, {Bytes: 20e6}, {}},
		"nothing: the release is where it is needed":                                      {{}},
	} {
		f := foretold{BytesArtifact: 20e6, BytesAtMost: true, From: "s3://dist/shop", Hosts: hosts}
		for _, h := range hosts {
			f.BytesSend, f.BytesFetch = f.BytesSend+h.Bytes, f.BytesFetch+h.Fetches
		}
		if got := f.bytesWords(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
