package lb_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// A socket that the SSH user may not write is spoken to through sudo: with the very
// words that go into sudoers. One over TCP needs nothing.
func TestHAProxyTellsWhichCommandsGoThroughSudo(t *testing.T) {
	socat, err := exec.LookPath("socat")
	if err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(t.TempDir(), "admin.sock")
	for _, c := range []struct {
		socket string
		sudo   bool
		want   string
	}{
		{sock, true, "[" + socat + " -T10 -t10 - UNIX-CONNECT:" + sock + "]"},
		{sock, false, "[]"},
		{"tcp://127.0.0.1:1", true, "[]"},
	} {
		h := lb.NewHAProxy(lb.HAProxyConfig{Name: "edge1", Upstreams: []string{"shop"}, Socket: c.socket, Sudo: c.sudo, Hosts: map[string][]string{"web1": {"127.0.0.1:80"}}}, lbtest.Shell{})
		r, err := h.Rights(t.Context())
		if got := fmt.Sprint(r.Sudo); err != nil || got != c.want || len(r.Root) != 0 {
			t.Errorf("%s, sudo %v: %s, %q, %v; want %s", c.socket, c.sudo, got, r.Root, err, c.want)
		}
	}
}
