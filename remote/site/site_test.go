package site_test

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"SSH_AUTH_SOCK", "FLIPDEPLOY_SSH_KEY", "FLIPDEPLOY_SSH_PASSPHRASE"} {
		_ = os.Unsetenv(name)
	}
	if os.Getenv("SITE_TEST_UPLOAD") != "" {
		uploadUntilKilled()
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if name, err := own(); err == nil {
			_ = os.RemoveAll(filepath.Dir(name))
		}
		os.Exit(code)
	}))
}

// A bench is one host with an app directory.
type bench struct {
	t    *testing.T
	sshd *remotetest.SSHD
	m    *remote.Machine
	dir  string
	site *site.Site
}

func newBench(t *testing.T) *bench {
	return benchOn(t, remotetest.Start(t))
}

func benchOn(t *testing.T, s *remotetest.SSHD) *bench {
	b := &bench{t: t, sshd: s, m: s.Machine(t), dir: filepath.Join(s.Dir, "srv", "shop")}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.site = b.at(site.Config{})
	return b
}

func (b *bench) at(c site.Config) *site.Site {
	c.Path, c.Entry, c.User = b.dir, "shop", "deploy"
	if c.Keep == 0 {
		c.Keep = 2
	}
	return site.New(c, b.m)
}

// artifact is a single file of random bytes.
func artifact(t *testing.T, size int) *site.Artifact {
	t.Helper()
	p := filepath.Join(t.TempDir(), "shop")
	text := append([]byte("#!/bin/sh\nexit 0\n"), randomBytes(size)...)
	if err := os.WriteFile(p, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return open(t, p, "")
}

func open(t *testing.T, p, entry string) *site.Artifact {
	t.Helper()
	a, err := site.OpenArtifact(p, entry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func randomBytes(n int) []byte {
	text := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(text)
	return text
}

func (b *bench) stage(id string, a *site.Artifact) int64 {
	b.t.Helper()
	sent, err := b.site.Stage(b.t.Context(), id, a, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return sent
}

func code(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return fmt.Sprint(err)
}

func (b *bench) left() string {
	entries, _ := os.ReadDir(filepath.Join(b.dir, "releases"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
