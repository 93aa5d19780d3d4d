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
// FLIPDEPLOY_SEND is the machine, `MACHINE 2` for the second such script to it, and, a line
// each, regular expressions that the script matches; FLIPDEPLOY_SEND_DO is what a shell does then, $PID being us. That script is
// sent though the run was ended meanwhile, and FLIPDEPLOY_SENT gets what became of it.
// With FLIPDEPLOY_SCRIPTS=DIR every script is kept there as NUMBER-MACHINE, as old as when
// it was sent, and an empty NUMBER-MACHINE.answered as old as its answer.

var sends struct {
	sync.Mutex
	n, seen int
}

// about sends a script. One that is waited for is late by what is done before it.
func about(ctx context.Context, machine, script string, send func(context.Context) ([]byte, error)) ([]byte, error) {
	kept := passed(machine, script)
	defer func() {
		if kept != "" {
			_ = os.WriteFile(kept+".answered", nil, 0o644)
		}
	}()
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
	to, nth, _ := strings.Cut(lines[0], " ")
	if to != machine {
		return false
	}
	for _, has := range lines[1:] {
		if !regexp.MustCompile(has).MatchString(script) {
			return false
		}
	}
	sends.Lock()
	defer sends.Unlock()
	sends.seen++
	n, err := strconv.Atoi(nth)
	return err != nil && sends.seen == 1 || sends.seen == n
}

// passed keeps a script that is about to be sent.
func passed(machine, script string) (file string) {
	dir := os.Getenv("FLIPDEPLOY_SCRIPTS")
	if dir == "" {
		return ""
	}
	sends.Lock()
	sends.n++
	file = filepath.Join(dir, fmt.Sprintf("%04d-%s", sends.n, machine))
	sends.Unlock()
	_ = os.WriteFile(file, []byte(script), 0o644)
	return file
}
