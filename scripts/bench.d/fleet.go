package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A fleet is the hosts that everybody deploys to.
type fleet struct {
	dir, tool, name string
	hosts           int

	base   string // the release that each run starts from
	groups string // where control groups of version 2 are
	stuck  bool   // HAProxy is configured to be sticky
}

// open has the start release on every host.
func (f *fleet) open() error {
	f.groups = "/sys/fs/cgroup"
	if _, err := os.Stat(f.groups + "/cgroup.controllers"); err != nil {
		f.groups += "/unified"
	}
	data, err := os.ReadFile(f.program("base"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	f.base = "base-" + hex.EncodeToString(sum[:])[:8]
	return f.everywhere(func(host string) error {
		dir := filepath.Join(f.dir, "hosts", host, "root/srv/shop/releases", f.base)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "shop"), data, 0o755)
	})
}

func (f *fleet) program(name string) string { return filepath.Join(f.dir, "apps", name, "shop") }

// begin returns once all stands as before every run: each host runs the start
// release and has no other, HAProxy sends to all, nothing of flipdeploy is left.
func (f *fleet) begin(sticky bool) error {
	const host = `cd /srv/shop && rm -rf .flipdeploy && ln -sfn releases/$1 .current.new && mv -fT .current.new current &&
find releases -mindepth 1 -maxdepth 1 ! -name "$1" -exec rm -rf {} + &&
chown -hR deploy:deploy . && systemctl restart shop`
	err := f.everywhere(func(name string) error { return f.exec(name, "sh", "-c", host, "begin", f.base) })
	if err == nil {
		err = f.exec("edge1", "rm", "-rf", "/var/lib/flipdeploy/shop")
	}
	if err == nil {
		err = f.stick(sticky)
	}
	if err == nil {
		err = f.await("base")
	}
	if err != nil {
		return err
	}
	time.Sleep(time.Second) // what the restarts left to do is no part of a run
	return nil
}

// stick has HAProxy send clients by a cookie to the host they know, or no more.
func (f *fleet) stick(sticky bool) error {
	if sticky == f.stuck {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(f.dir, map[bool]string{true: "sticky.cfg", false: "plain.cfg"}[sticky]))
	if err == nil {
		err = os.WriteFile(filepath.Join(f.dir, "hosts/edge1/root/etc/haproxy/haproxy.cfg"), data, 0o644)
	}
	if err == nil {
		err = f.exec("edge1", "systemctl", "reload", "haproxy")
	}
	if err == nil {
		f.stuck = sticky
	}
	return err
}

func (f *fleet) exec(host string, args ...string) error {
	out, err := exec.Command(f.tool, append([]string{"exec", host}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", host, err, out)
	}
	return nil
}

func (f *fleet) everywhere(do func(host string) error) error {
	errs := make(chan error, f.hosts)
	var wg sync.WaitGroup
	for i := range f.hosts {
		wg.Go(func() { errs <- do(fmt.Sprintf("web%d", i+1)) })
	}
	wg.Wait()
	for range f.hosts {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// await returns once every host answers as version and HAProxy sends to all.
func (f *fleet) await(version string) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := f.all(version)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// all is nil when every host answers as version and HAProxy sends to all. It asks
// once: what a run has not brought about when it ends, it has not done.
func (f *fleet) all(version string) error {
	n, err := serving()
	if err != nil || n != f.hosts {
		return fmt.Errorf("%d of %d hosts in rotation: %w", n, f.hosts, err)
	}
	return f.everywhere(func(host string) error {
		said, err := answer("http://10.77.0.1" + strings.TrimPrefix(host, "web") + ":8080/version")
		if err == nil && said != version {
			err = fmt.Errorf("answers as %q, not %q", said, version)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", host, err)
		}
		return nil
	})
}

func answer(url string) (string, error) {
	c := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1000))
	return strings.TrimSpace(string(body)), err
}

// serving counts the hosts that HAProxy sends to: running, no flag set.
func serving() (int, error) {
	conn, err := net.DialTimeout("tcp", "10.77.0.2:9999", 2*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := io.WriteString(conn, "show servers state shop\n"); err != nil {
		return 0, err
	}
	n := 0
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if w := strings.Fields(lines.Text()); len(w) > 6 && strings.HasPrefix(w[3], "web") && w[5] == "2" && w[6] == "0" {
			n++
		}
	}
	return n, lines.Err()
}
