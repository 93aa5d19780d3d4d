//go:build bench

// Package hosts measures many hosts at once, beside the tools that people use for that,
// over a real sshd on loopback. scripts/bench hosts runs it.
package hosts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// A fleet is one sshd at many addresses of this machine.
type fleet struct {
	*testing.T
	sshd   *remotetest.SSHD
	addrs  []string
	rounds int
	dir    string
}

func open(t *testing.T, n int, config ...string) *fleet {
	rounds, err := strconv.Atoi(os.Getenv("BENCH_ROUNDS"))
	if err != nil {
		t.Fatal("BENCH_ROUNDS:", err)
	}
	f := &fleet{T: t, rounds: rounds, dir: t.TempDir(), sshd: remotetest.StartAt(t, "0.0.0.0", append(config,
		"Subsystem sftp internal-sftp", "MaxStartups 2000:30:2000", "LogLevel ERROR", "UseDNS no")...)}
	for i := range n {
		f.addrs = append(f.addrs, fmt.Sprintf("127.0.%d.%d", 1+i/250, 1+i%250))
		f.sshd.TrustAt(t, fmt.Sprintf("%s:%d", f.addrs[i], f.sshd.Port))
	}
	f.write("ssh_config", fmt.Sprintf("Host 127.0.*\n  Port %d\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  LogLevel ERROR\n"+
		"  ControlMaster auto\n  ControlPersist 60\n  ControlPath /tmp/fdb-%%C\n", f.sshd.Port, f.sshd.User, f.sshd.KeyFile, f.sshd.KnownHosts))
	t.Cleanup(f.cold)
	f.write("hosts", strings.Join(f.addrs, "\n")+"\n")
	f.write("ansible.cfg", "[defaults]\ninventory = "+f.path("hosts")+"\ninterpreter_python = /usr/bin/python3\nforks = 50\ngathering = explicit\nretry_files_enabled = False\n"+
		"[ssh_connection]\npipelining = True\nssh_args = -F "+f.path("ssh_config")+"\ncontrol_path = /tmp/fdb-%%C\n")
	return f
}

func (f *fleet) path(name string) string { return filepath.Join(f.dir, name) }

func (f *fleet) write(name, text string) {
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
}

func (f *fleet) machines() (all []*remote.Machine) {
	for _, a := range f.addrs {
		c := f.sshd.Config()
		c.Name, c.Address, c.ConnectTimeout = a, a, 0
		all = append(all, remote.New(c))
	}
	return all
}

// each does the same with every machine, all at once.
func (f *fleet) each(machines []*remote.Machine, do func(i int, m *remote.Machine) error) {
	var wg sync.WaitGroup
	for i, m := range machines {
		wg.Go(func() {
			if err := do(i, m); err != nil {
				f.Error(err)
			}
		})
	}
	wg.Wait()
}

// run is the time of another tool's commands, one after another; what holds connections
// open from before is ended first.
func (f *fleet) run(commands ...[]string) time.Duration {
	f.cold()
	began := time.Now()
	for _, argv := range commands {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "ANSIBLE_CONFIG="+f.path("ansible.cfg"))
		if out, err := cmd.CombinedOutput(); err != nil {
			f.Fatalf("%v: %v: %.2000s", argv, err, out)
		}
	}
	return time.Since(began)
}

// cold ends the connections that ssh keeps.
func (f *fleet) cold() {
	sockets, _ := filepath.Glob("/tmp/fdb-*")
	for _, s := range sockets {
		_ = exec.Command("ssh", "-o", "ControlPath="+s, "-O", "exit", "x").Run()
	}
}

// A way is one tool at the job.
type way struct {
	name string
	do   func() time.Duration
}

// table has the ways take turns, and prints each beside the first, which is ours.
func (f *fleet) table(title string, ways ...way) {
	took := make([][]float64, len(ways))
	for range f.rounds {
		for i, w := range ways {
			took[i] = append(took[i], w.do().Seconds())
		}
	}
	fmt.Printf("\n%s:\n\n| way | seconds | flipdeploy takes × of it |\n|---|---|---|\n", title)
	for i, w := range ways {
		var ratio []float64
		for r := range took[i] {
			ratio = append(ratio, took[0][r]/took[i][r])
		}
		fmt.Printf("| %s | %s | %s |\n", w.name, spread(took[i], 2), spread(ratio, 3))
	}
}

// spread is the median, and the lowest and highest.
func spread(list []float64, digits int) string {
	s := slices.Sorted(slices.Values(list))
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, (s[(len(s)-1)/2]+s[len(s)/2])/2, digits, s[0], digits, s[len(s)-1])
}
