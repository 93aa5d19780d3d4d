package site_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// twenty is a file of 20 MB that does not compress.
func twenty(b *testing.B) string {
	p := filepath.Join(b.TempDir(), "shop")
	if err := os.WriteFile(p, randomBytes(20<<20), 0o755); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(20 << 20)
	return p
}

func BenchmarkStage(b *testing.B) {
	s, p := remotetest.Start(b), twenty(b)
	dir := filepath.Join(s.Dir, "app")
	_ = os.Mkdir(dir, 0o755)
	at := site.New(site.Config{Path: dir, Entry: "shop"}, s.Machine(b))
	a, err := site.OpenArtifact(p, "")
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	for i := 0; b.Loop(); i++ {
		if _, err := at.Stage(b.Context(), fmt.Sprintf("v%d-abc", i), a, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// The peer: scp with the fastest cipher, a connection each time.
func BenchmarkSCP(b *testing.B) {
	s, p := remotetest.Start(b, "Subsystem sftp internal-sftp"), twenty(b)
	scp := remotetest.Need(b, "scp")
	for i := 0; b.Loop(); i++ {
		to := fmt.Sprintf("%s@%s:%s/v%d", s.User, s.Address, s.Dir, i)
		out, err := exec.Command(scp, "-q", "-c", "aes128-gcm@openssh.com", "-i", s.KeyFile, "-P", fmt.Sprint(s.Port),
			"-o", "UserKnownHostsFile="+s.KnownHosts, "-o", "IdentitiesOnly=yes", p, to).CombinedOutput()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
}

// What a script costs on a live connection.
func BenchmarkRunTrue(b *testing.B) {
	m := remotetest.Start(b).Machine(b)
	for b.Loop() {
		if _, err := m.Run(b.Context(), "true"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFlip(b *testing.B) {
	s, p := remotetest.Start(b), twenty(b)
	at := site.New(site.Config{Path: filepath.Dir(p), Entry: "shop"}, s.Machine(b))
	a, err := site.OpenArtifact(p, "")
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	if _, err := at.Stage(b.Context(), "v1-abc", a, nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := at.Flip(b.Context(), "v1-abc"); err != nil {
			b.Fatal(err)
		}
	}
}
