package proc

import "testing"

// A proxy's master stays and shows no release: that its workers are new tells that it was
// reloaded, and so that an undo has to reload it.
func TestAMasterThatStaysIsNotIntactOnceItWasReloaded(t *testing.T) {
	const (
		master  = "listen 10\nproc 10 1 100 S 7\nino 10 9:9\nexe 10 /usr/sbin/nginx\n"
		worker  = "listen 11\nproc 11 10 101 S 0\nino 11 9:9\nexe 11 /usr/sbin/nginx\n"
		another = "listen 20\nproc 20 10 200 S 0\nino 20 9:9\nexe 20 /usr/sbin/nginx\n"
	)
	for _, c := range []struct {
		name, now    string
		proven, want bool
	}{
		{"as it was", master + worker, false, true},
		{"a takeover was proven, whatever it left", master + worker, true, false},
		{"workers are new", master + another, false, false},
		{"one of them is", master + worker + another, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Kind = MasterWorker
			was, now := look(t, cfg, master+worker), look(t, cfg, c.now)
			before := cfg.snapshot(was, spot{main: was.procs[10]})
			a := &App{cfg: *cfg, before: cfg.snapshot(now, spot{main: now.procs[10]})}
			if got := a.intact(before, spot{main: now.procs[10]}, "v1", c.proven); got != c.want {
				t.Errorf("intact: %v", got)
			}
		})
	}
}
