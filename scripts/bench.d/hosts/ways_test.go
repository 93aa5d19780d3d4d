//go:build bench

package hosts

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

const many = 64

// TestFiveCommands connects to 64 hosts and runs five commands on each, one after another.
func TestFiveCommands(t *testing.T) {
	f := open(t, many)
	const command = "uname -n"
	var tasks strings.Builder
	var pssh, clush [][]string
	for range 5 {
		tasks.WriteString("    - command: " + command + "\n")
		pssh = append(pssh, []string{"parallel-ssh", "-p", "64", "-h", f.path("hosts"), "-x", "-F " + f.path("ssh_config"), command})
		clush = append(clush, []string{"clush", "-f", "64", "-o", "-F " + f.path("ssh_config"), "--hostfile", f.path("hosts"), "-b", command})
	}
	f.write("five.yml", "- hosts: all\n  gather_facts: no\n  tasks:\n"+tasks.String())
	f.table(fmt.Sprintf("%d hosts: connect, and five commands one after another", many),
		way{"flipdeploy", func() time.Duration {
			machines := f.machines()
			began := time.Now()
			f.each(machines, func(_ int, m *remote.Machine) error {
				for range 5 {
					if _, err := m.Run(t.Context(), command); err != nil {
						return err
					}
				}
				return nil
			})
			took := time.Since(began)
			f.each(machines, func(_ int, m *remote.Machine) error { return m.Close() })
			return took
		}},
		way{"Ansible, 50 forks, pipelining, ControlPersist", func() time.Duration { return f.run([]string{"ansible-playbook", f.path("five.yml")}) }},
		way{"pssh, ControlPersist", func() time.Duration { return f.run(pssh...) }},
		way{"ClusterShell, ControlPersist", func() time.Duration { return f.run(clush...) }},
	)
}

// TestStaging brings 20 MB to 64 hosts that have nothing.
func TestStaging(t *testing.T) {
	f := open(t, many)
	data := make([]byte, 20_000_000)
	_, _ = rand.Read(data)
	f.write("shop", "#!/bin/sh\nexit 0\n"+string(data))
	_ = os.Chmod(f.path("shop"), 0o755)
	a, err := site.OpenArtifact(f.path("shop"), "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	to := func(i int) string {
		d := filepath.Join(f.dir, "app", fmt.Sprint(i))
		_ = os.RemoveAll(d)
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		return d
	}
	f.write("copy.yml", "- hosts: all\n  gather_facts: no\n  tasks:\n    - copy: src="+f.path("shop")+" dest="+f.path("app")+"/{{ inventory_hostname }}-shop mode=0755\n")
	each := func(command string) []string {
		return []string{"xargs", "-a", f.path("hosts"), "-P", "64", "-I", "{}", "sh", "-c", command}
	}
	ssh := "ssh -F " + f.path("ssh_config")
	f.table(fmt.Sprintf("%d hosts that have no release: 20 MB that nothing packs, from connecting until it is staged, compared and synced", many),
		way{"flipdeploy", func() time.Duration {
			machines, dirs := f.machines(), make([]string, many)
			for i := range dirs {
				dirs[i] = to(i)
			}
			began := time.Now()
			cargo := site.NewCargo(a, site.CargoOptions{Hosts: many, Cache: &site.Cache{Dir: t.TempDir()}})
			f.each(machines, func(i int, m *remote.Machine) error {
				_, err := site.New(site.Config{Path: dirs[i], Entry: "shop", Keep: 3}, m).Ship(t.Context(), "v1-abc", cargo, nil)
				return err
			})
			took := time.Since(began)
			f.each(machines, func(_ int, m *remote.Machine) error { return m.Close() })
			_ = cargo.Close()
			_ = os.RemoveAll(f.path("app"))
			_ = os.Mkdir(f.path("app"), 0o755)
			return took
		}},
		way{"connect and `cat >/dev/null`: what sshd takes at most", func() time.Duration { return f.fed("cat >/dev/null", data) }},
		way{"connect and `cat >file`, neither compared nor synced", func() time.Duration { return f.fed("cat >"+f.path("app")+"/$$", data) }},
		way{"connect and `cat >file; sync file; openssl dgst -sha256 <file`: the least that keeps and compares it", func() time.Duration {
			file := f.path("app") + "/$$"
			return f.fed("cat >"+file+"; sync "+file+"; openssl dgst -sha256 -r <"+file, data)
		}},
		way{"Ansible copy, 50 forks, pipelining", func() time.Duration { return f.run([]string{"ansible-playbook", f.path("copy.yml")}) }},
		way{"ClusterShell --copy", func() time.Duration {
			return f.run([]string{"clush", "-f", "64", "-o", "-F " + f.path("ssh_config"), "--hostfile", f.path("hosts"), "--copy", f.path("shop"), "--dest", f.path("app") + "/"})
		}},
		way{"rsync, 64 at a time", func() time.Duration {
			return f.run(each("rsync -e '" + ssh + "' " + f.path("shop") + " {}:" + f.path("app") + "/{}-rsync"))
		}},
		way{"scp -c aes128-gcm, 64 at a time", func() time.Duration {
			return f.run(each("scp -q -F " + f.path("ssh_config") + " -c aes128-gcm@openssh.com " + f.path("shop") + " {}:" + f.path("app") + "/{}-scp"))
		}},
	)
}

// fed is the time that the hosts take to connect, and to take the data, each 64 KiB once the
// ones before have been read: that is the pace at which sshd works least.
func (f *fleet) fed(script string, data []byte) time.Duration {
	machines := f.machines()
	began := time.Now()
	f.each(machines, func(_ int, m *remote.Machine) error {
		_, err := m.Stream(f.Context(), script, &step{bytes.NewReader(data), m, f.Context()})
		return err
	})
	took := time.Since(began)
	f.each(machines, func(_ int, m *remote.Machine) error { return m.Close() })
	return took
}

type step struct {
	r   io.Reader
	m   *remote.Machine
	ctx context.Context //nolint:containedctx // io.Reader has no other way to it
}

func (s *step) Read(b []byte) (int, error) {
	if _, err := s.m.RoundTrip(s.ctx); err != nil {
		return 0, err
	}
	return s.r.Read(b[:min(len(b), 64<<10)])
}

// TestThousand holds a thousand connections, and gives them up.
func TestThousand(t *testing.T) {
	f := open(t, 1000)
	machines, before := f.machines(), runtime.NumGoroutine()
	began := time.Now()
	f.each(machines, func(_ int, m *remote.Machine) error { return m.Connect(t.Context()) })
	took := time.Since(began)
	with := resident(t)
	f.each(machines, func(_ int, m *remote.Machine) error { return m.Close() })
	left := 0
	for range 100 {
		if left = runtime.NumGoroutine() - before; left <= 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	fmt.Printf("\n1,000 hosts, connected in %.1f s: %d MiB resident, %.1f CPU seconds here; goroutines left once all are closed: %d\n", took.Seconds(), with>>20, time.Duration(r.Utime.Nano()+r.Stime.Nano()).Seconds(), left)
}

// TestThousandInAWindow asks a thousand hosts something, three times over, with a hundred
// connections at once.
func TestThousandInAWindow(t *testing.T) {
	f := open(t, 1000)
	w := remote.NewWindow(100)
	var machines []*remote.Machine
	for _, a := range f.addrs {
		c := f.sshd.Config()
		c.Name, c.Address, c.ConnectTimeout, c.Window = a, a, 0, w
		machines = append(machines, remote.New(c))
	}
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	began := time.Now()
	for range 3 {
		f.each(machines, func(_ int, m *remote.Machine) error { _, err := m.Run(t.Context(), ":"); return err })
	}
	took, with := time.Since(began), resident(t)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	f.each(machines, func(_ int, m *remote.Machine) error { return m.Close() })
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	fmt.Printf("\n1,000 hosts asked three times with at most %d connections at once: %.1f s, %d MiB resident, %.1f CPU seconds here\n", w.Most(), took.Seconds(), with>>20, cpu.Seconds())
}

// resident is what this process has in memory, in bytes.
func resident(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	var kb int64
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			_, _ = fmt.Sscan(rest, &kb)
		}
	}
	return kb << 10
}
