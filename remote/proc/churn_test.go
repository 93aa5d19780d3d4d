package proc

import (
	"os/exec"
	"testing"
)

// Processes that end between the moments when their files are opened and read are
// nothing that a look may break on: mawk does, and half a look says that the app is
// gone.
func TestLooksAmongProcessesThatComeAndGo(t *testing.T) {
	h := newHost(t)
	a := h.up("v1", "good")
	for range 3 {
		churn := exec.Command("sh", "-c", "while :; do /bin/true; done")
		must(t, churn.Start())
		t.Cleanup(func() { _ = churn.Process.Kill(); _ = churn.Wait() })
	}
	for range 30 {
		f, err := a.look(t.Context())
		if err != nil {
			t.Errorf("a look failed: %v", err)
		} else if len(f.listeners()) != 1 {
			t.Errorf("a look saw %d listeners, want 1", len(f.listeners()))
		}
	}
}
