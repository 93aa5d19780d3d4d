package inventory

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pm2's numbers only grow, and files stay where a machine lost its power: only what its
// daemon runs is the app's.
func TestTheProcessesOfPM2AreThoseOfItsDaemonWhateverTheirNumber(t *testing.T) {
	home := t.TempDir()
	file := func(name string, pid int) {
		t.Helper()
		path := filepath.Join(home, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(strconv.Itoa(pid)), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	child := func() int {
		c := exec.Command("sleep", "60")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		return c.Process.Pid
	}
	file("pm2.pid", os.Getpid())
	var want []string
	for _, id := range []int{7, 42, 123, 4567} {
		pid := child()
		file(fmt.Sprintf("pids/shop-%d.pid", id), pid)
		want = append(want, strconv.Itoa(pid))
	}
	file("pids/shop-8.pid", os.Getppid()) // another's by now
	file("pids/shop-9.pid", 1<<22)        // nobody's
	file("pids/shop-1-2.pid", child())    // another app's
	for _, preset := range []string{"pm2-reload", "pm2-restart"} {
		argv := Reload{}.filled(system(preset).PIDCommand, "shop")
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "PM2_HOME="+home)
		out, err := cmd.Output()
		got := strings.Fields(string(out))
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v: %v", preset, got, want, err)
		}
	}
}
