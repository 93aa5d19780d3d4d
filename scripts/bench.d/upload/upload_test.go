//go:build bench

// Package upload measures how a release comes to hosts, beside scp and beside sending
// all of it, over a real sshd on loopback. scripts/bench upload runs it.
package upload

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A bench is one sshd and what is sent to it: BENCH_OLD and BENCH_NEW are two builds of a
// program, BENCH_OWN is flipdeploy's.
type bench struct {
	*testing.T
	sshd     *remotetest.SSHD
	old, new string
	cache    *site.Cache
	rounds   int
	limit    *site.Limit
	speed    int64 // of the link, as in site.CargoOptions
	next     int   // directory
}

func open(t *testing.T) *bench {
	rounds, err := strconv.Atoi(os.Getenv("BENCH_ROUNDS"))
	if err != nil {
		t.Fatal("BENCH_ROUNDS:", err)
	}
	return &bench{T: t, sshd: remotetest.Start(t, "Subsystem sftp internal-sftp", "MaxStartups 300:30:400"), rounds: rounds,
		old: os.Getenv("BENCH_OLD"), new: os.Getenv("BENCH_NEW"), cache: &site.Cache{Dir: t.TempDir()}}
}

// dir is a new app directory.
func (b *bench) dir() string {
	b.next++
	dir := filepath.Join(b.sshd.Dir, "app", strconv.Itoa(b.next))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	return dir
}

func (b *bench) open(name string) *site.Artifact {
	a, err := site.OpenArtifact(name, "shop")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = a.Close() })
	return a
}

// ship brings the artifact to all of dirs, a connection each; the time of connecting
// counts where there is one host.
func (b *bench) ship(port int, id string, a *site.Artifact, whole bool, dirs ...string) (time.Duration, int64, string) {
	var machines []*remote.Machine
	for range dirs {
		c := b.sshd.Config()
		c.Port = port
		machines = append(machines, remote.New(c))
	}
	connect := func() {
		var wg sync.WaitGroup
		for _, m := range machines {
			wg.Go(func() {
				if err := m.Connect(b.Context()); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if len(dirs) > 1 {
		connect()
	}
	began := time.Now()
	cargo := site.NewCargo(a, site.CargoOptions{Hosts: len(dirs), Cache: b.cache, Helper: os.Getenv("BENCH_OWN"), Whole: whole, Limit: b.limit, Speed: b.speed})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var sent int64
	var how string
	for i, dir := range dirs {
		wg.Go(func() {
			done, err := site.New(site.Config{Path: dir, Entry: "shop", Keep: 3}, machines[i]).Ship(b.Context(), id, cargo, nil)
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			sent += done.Sent
			how = done.How + done.Note
		})
	}
	wg.Wait()
	took := time.Since(began)
	for _, m := range machines {
		_ = m.Close()
	}
	_ = cargo.Close()
	return took, sent, how
}

func (b *bench) scp(port int) time.Duration {
	to := fmt.Sprintf("%s@127.0.0.1:%s/shop", b.sshd.User, b.dir())
	began := time.Now()
	out, err := exec.Command("scp", "-q", "-c", "aes128-gcm@openssh.com", "-i", b.sshd.KeyFile, "-P", fmt.Sprint(port),
		"-o", "UserKnownHostsFile="+b.sshd.KnownHosts, "-o", "IdentitiesOnly=yes", b.new, to).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return time.Since(began)
}

// TestOneHost is a release to one host that has none.
func TestOneHost(t *testing.T) {
	b := open(t)
	a := b.open(b.new)
	fmt.Printf("\nOne host that has no release, a Go program of %.1f MB, connecting included:\n\n", float64(a.Size)/1e6)
	fmt.Println("| round trip | scp -c aes128-gcm, s | flipdeploy, s | × scp | MB sent | how |\n|---|---|---|---|---|---|")
	for _, rtt := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond} {
		port := b.sshd.Port
		if rtt > 0 {
			d := delay(t, b.sshd.HostPort(), rtt/2)
			b.sshd.TrustAt(t, d.addr())
			port = d.port()
		}
		var theirs, ours, ratio []float64
		var how string
		var sent int64
		for range b.rounds {
			x := b.scp(port).Seconds()
			took, n, way := b.ship(port, "v1-abc", a, false, b.dir())
			theirs, ours, ratio = append(theirs, x), append(ours, took.Seconds()), append(ratio, took.Seconds()/x)
			sent, how = n, way
		}
		fmt.Printf("| %s | %s | %s | %s | %.1f | %s |\n", rtt, spread(theirs), spread(ours), spread(ratio), float64(sent)/1e6, or(how, "as it is"))
	}
}

// TestNextBuild is the next release to many hosts that have the last one: near, where the
// hosts' work shares this machine's processors, and behind an uplink that all of them share.
func TestNextBuild(t *testing.T) {
	b := open(t)
	old, new := b.open(b.old), b.open(b.new)
	if err := site.NewCargo(old, site.CargoOptions{Cache: b.cache}).Keep(); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nThe next build (%.1f MB) to hosts that have the last one, connected already; all their work is done here, too:\n\n", float64(new.Size)/1e6)
	fmt.Println("| hosts | uplink | all of it, s | flipdeploy, s | × all of it | CPU of the runner, s | × all of it | CPU of all, s | × all of it | MB sent | of all | how |\n|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, hosts := range []int{1, 4, 64, 200} {
		b.nextTo(hosts, "loopback", 0, old, new)
	}
	b.nextTo(200, "200 Mbit/s", 25e6, old, new)
}

// nextTo prints one line: rounds of both ways to so many hosts.
func (b *bench) nextTo(hosts int, link string, rate int64, old, new *site.Artifact) {
	var dirs []string
	for range hosts {
		dirs = append(dirs, b.dir())
	}
	b.ship(b.sshd.Port, "v0-abc", old, true, dirs...)
	b.speed = 1e6 // on such a link a delta is chosen: flipdeploy's own program comes along
	b.ship(b.sshd.Port, "first-abc", new, false, dirs...)
	b.speed = 0
	b.forget(dirs, "first-abc")
	if rate > 0 {
		b.limit = site.NewLimit(rate)
		defer func() { b.limit = nil }()
	}
	var theirs, ours, ratio, work, share, both, part []float64
	var how string
	var sent int64
	for range b.rounds {
		var x, took time.Duration
		before := busy()
		all := cpu(func() { x, _, _ = b.ship(b.sshd.Port, "plain-abc", new, true, dirs...) })
		whole := busy() - before
		b.forget(dirs, "plain-abc")
		before = busy()
		mine := cpu(func() { took, sent, how = b.ship(b.sshd.Port, "next-abc", new, false, dirs...) })
		both, part = append(both, busy()-before), append(part, (busy()-before)/whole)
		b.forget(dirs, "next-abc")
		theirs, ours, ratio = append(theirs, x.Seconds()), append(ours, took.Seconds()), append(ratio, took.Seconds()/x.Seconds())
		work, share = append(work, mine), append(share, mine/all)
	}
	fmt.Printf("| %d | %s | %s | %s | %s | %s | %s | %s | %s | %.1f | %.1f %% | %s |\n", hosts, link, spread(theirs), spread(ours), spread(ratio),
		spread(work), spread(share), spread(both), spread(part), float64(sent)/1e6, 100*float64(sent)/float64(new.Size)/float64(hosts), or(how, "as it is"))
	for _, d := range dirs {
		_ = os.RemoveAll(d)
	}
}

func (b *bench) forget(dirs []string, id string) {
	for _, d := range dirs {
		if err := os.RemoveAll(filepath.Join(d, "releases", id)); err != nil {
			b.Fatal(err)
		}
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// spread is the median, and the lowest and highest.
func spread(list []float64) string {
	s := slices.Sorted(slices.Values(list))
	return fmt.Sprintf("%.2f (%.2f–%.2f)", (s[(len(s)-1)/2]+s[len(s)/2])/2, s[0], s[len(s)-1])
}
