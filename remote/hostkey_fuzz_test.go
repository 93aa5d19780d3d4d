package remote

import (
	"bytes"
	"crypto/ed25519"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

func fuzzKey(seed byte) ssh.PublicKey {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		panic(err)
	}
	return key
}

// Whatever stands in a known_hosts file, a key that it does not hold is not believed,
// and one that a good line of it revokes is not either.
func FuzzKnownHosts(f *testing.F) {
	key := fuzzKey(1)
	line := string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(key)))
	for _, seed := range []string{"", "web1 " + line, "[web1]:2222 " + line, "* " + line + " comment", "!web1,* " + line, "web? " + line,
		"@cert-authority * " + line, "@revoked * " + line, "@what * " + line, "|1|c2FsdHNhbHRzYWx0c2FsdHM=|aGFzaA==| " + line,
		"web1 ssh-ed25519 AAAA\nweb1 " + line, "# web1\n\n \t\nweb1\t" + line, "web1 ssh-rsa " + line[12:], "\x00\xff\nweb1 " + line} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(dir, "known_hosts")
		check := func(text []byte, key ssh.PublicKey) error {
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			h, err := loadHostKeys([]string{file})
			if err != nil {
				return err
			}
			if len(h.algorithms("web1:2222")) == 0 {
				t.Fatal("no algorithms are left")
			}
			return h.check("web1:2222", &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 2222}, key)
		}
		if check(text, fuzzKey(2)) == nil {
			t.Fatalf("a key is believed that nobody wrote down: %q", text)
		}
		if check(append([]byte("@revoked * "+line+"\n"), text...), key) == nil {
			t.Fatalf("a revoked key is believed: %q", text)
		}
	})
}

// Whatever a machine writes, what stands between the markers comes whole, and nothing
// else does.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("noise\n"), []byte("text\n"), 3)
	f.Add([]byte("BEG"), []byte("END"), 1)
	f.Add([]byte("BEGI\nBEGIN"), []byte("EN\nENDEND"), 2)
	f.Fuzz(func(t *testing.T, before, text []byte, size int) {
		begin, end := []byte("BEGIN-4d1f\n"), []byte("END-4d1f ")
		early := bytes.Index(append(bytes.Clone(before), begin...), begin) < len(before) || bytes.Index(append(bytes.Clone(text), end...), end) < len(text)
		if early || size < 1 {
			return
		}
		var out bytes.Buffer
		fr := newFrame("BEGIN-4d1f", "END-4d1f", &out)
		all := bytes.Join([][]byte{before, begin, text, end, []byte("7\nlate")}, nil)
		for len(all) > 0 {
			n := min(size, len(all))
			_, _ = fr.Write(all[:n])
			all = all[n:]
		}
		if !bytes.Equal(out.Bytes(), text) || !fr.complete() || fr.status().code != 7 {
			t.Fatalf("got %q, want %q", out.Bytes(), text)
		}
	})
}
