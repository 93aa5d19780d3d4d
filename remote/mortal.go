//go:build killpoints

package remote

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// A binary built with -tags killpoints does something right before one script is sent:
// FLIPDEPLOY_SEND is the machine and, a line each, regular expressions that the script
// matches; FLIPDEPLOY_SEND_DO is what a shell does then, $PID being us. That script is
// sent though the run was ended meanwhile, and FLIPDEPLOY_SENT gets what became of it.
// With FLIPDEPLOY_SCRIPTS=DIR every script is kept there as NUMBER-MACHINE.

var sends struct {
	sync.Mutex
	n    int
	done bool
}

// about sends a script. One that is waited for is late by what is done before it.
func about(ctx context.Context, machine, script string, send func(context.Context) ([]byte, error)) ([]byte, error) {
	passed(machine, script)
	if !awaited(machine, script) {
		return send(ctx)
	}
	cmd := exec.Command("sh", "-c", os.Getenv("FLIPDEPLOY_SEND_DO"))
	cmd.Env = append(os.Environ(), "PID="+strconv.Itoa(os.Getpid()))
	if out, err := cmd.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("before a script to %s: %v: %s", machine, err, out))
	}
	out, err := send(context.WithoutCancel(ctx))
	if name := os.Getenv("FLIPDEPLOY_SENT"); name != "" {
		_ = os.WriteFile(name, fmt.Appendf(nil, "%v\n%s", err, out), 0o644)
	}
	return out, err
}

// awaited is true once, for the script that FLIPDEPLOY_SEND tells of.
func awaited(machine, script string) bool {
	lines := strings.Split(os.Getenv("FLIPDEPLOY_SEND"), "\n")
	if lines[0] != machine {
		return false
	}
	for _, has := range lines[1:] {
		if !regexp.MustCompile(has).MatchString(script) {
			return false
		}
	}
	sends.Lock()
	defer sends.Unlock()
	was := sends.done
	sends.done = true
	return !was
}

// passed keeps a script that is about to be sent.
func passed(machine, script string) {
	dir := os.Getenv("FLIPDEPLOY_SCRIPTS")
	if dir == "" {
		return
	}
	sends.Lock()
	sends.n++
	name := fmt.Sprintf("%04d-%s", sends.n, machine)
	sends.Unlock()
	_ = os.WriteFile(filepath.Join(dir, name), []byte(script), 0o644)
}
