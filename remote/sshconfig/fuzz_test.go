package sshconfig

import (
	"net"
	"strings"
	"testing"
)

func dialer(command string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return Dial(command) }
}

// Whatever ssh prints, what is made of it can be dialled or is an error.
func FuzzParse(f *testing.F) {
	seeds := []string{"", "port 22\n", "port 99999\n", "hostname 10.0.0.1\nuser ops\nidentityfile ~/.ssh/%h\nproxyjump a,b\n",
		"userknownhostsfile /a b /c %d/x\nglobalknownhostsfile none\n", "proxycommand nc %h %p\nproxyjump none\n",
		"identityagent SSH_AUTH_SOCK\n", "identityagent $NOWHERE\n", "hostkeyalias %k%%\n", "\x00\xff \r\n \n"}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := parse(text).host(Query{Destination: "web1"})
		if err == nil && (h.Name == "" || h.User == "" || h.Port < 1 || h.Port > 65535) {
			t.Fatalf("cannot be dialled: %+v", h)
		}
		for _, list := range [][]string{h.KnownHosts, h.IdentityFiles, h.CertificateFiles} {
			for _, file := range list {
				if strings.ContainsAny(file, "\n") || file == "" {
					t.Fatalf("not a file: %q", file)
				}
			}
		}
	})
}
