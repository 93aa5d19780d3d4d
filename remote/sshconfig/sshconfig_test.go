package sshconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

const example = `
Host web1
  HostName 10.0.0.11
  Port 2222
  User deploy
  IdentityFile ~/.ssh/%%h-%h
  IdentityFile "/keys/with blank"
  CertificateFile /keys/%r-cert.pub
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile "/known hosts/of me" ~/.ssh/hosts.%h
  GlobalKnownHostsFile none
  HostKeyAlias web
  ProxyJump ops@outer:22,inner
Host web2
  ProxyCommand nc -x proxy %h %p as %r for %n
Host both
  ProxyJump none
Host *
  ProxyJump all
`

func config(t *testing.T, text string) Reader {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Reader{File: file}
}

// Both readers have to agree: that which asks ssh, and that for machines without.
func readers(text string, q Query) map[string]func(*testing.T) (Host, error) {
	return map[string]func(*testing.T) (Host, error){
		"ssh -G": func(t *testing.T) (Host, error) {
			remotetest.Need(t, "ssh")
			return config(t, text).Host(q)
		},
		"the file": func(t *testing.T) (Host, error) {
			r := config(t, text)
			t.Setenv("PATH", "/nowhere")
			return r.Host(q)
		},
	}
}

func TestTheConfigurationIsReadAsSSHReadsIt(t *testing.T) {
	me, known := localUser(), []string{home() + "/.ssh/known_hosts", home() + "/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	for _, r := range []struct {
		q    Query
		want Host
	}{
		{Query{Destination: "web1"}, Host{Name: "10.0.0.11", User: "deploy", Port: 2222, Alias: "web",
			IdentityFiles:    []string{home() + "/.ssh/%h-10.0.0.11", "/keys/with blank"},
			CertificateFiles: []string{"/keys/deploy-cert.pub"}, IdentitiesOnly: true, Agent: "none",
			KnownHosts: []string{"/known hosts/of me", home() + "/.ssh/hosts.10.0.0.11"}, Jump: "ops@outer:22,inner"}},
		{Query{Destination: "web1", User: "root", Port: 22}, Host{Name: "10.0.0.11", User: "root", Port: 22, Alias: "web",
			IdentityFiles:    []string{home() + "/.ssh/%h-10.0.0.11", "/keys/with blank"},
			CertificateFiles: []string{"/keys/root-cert.pub"}, IdentitiesOnly: true, Agent: "none",
			KnownHosts: []string{"/known hosts/of me", home() + "/.ssh/hosts.10.0.0.11"}, Jump: "ops@outer:22,inner"}},
		{Query{Destination: "web3"}, Host{Name: "web3", User: me, Port: 22, Usual: true, KnownHosts: known, Jump: "all"}},
		{Query{Destination: "both"}, Host{Name: "both", User: me, Port: 22, Usual: true, KnownHosts: known}},
		{Query{Destination: "fd00::1"}, Host{Name: "fd00::1", User: me, Port: 22, Usual: true, KnownHosts: known, Jump: "all"}},
	} {
		for by, read := range readers(example, r.q) {
			t.Run(fmt.Sprint(r.q.Destination, " by ", by), func(t *testing.T) {
				got, err := read(t)
				if got.Usual {
					got.IdentityFiles = nil // ssh names those that it tries
				}
				if err != nil || !reflect.DeepEqual(got, r.want) {
					t.Errorf("got\n%+v, %v, want\n%+v", got, err, r.want)
				}
			})
		}
	}
}

func TestAProxyCommandHasItsTokensFilledIn(t *testing.T) {
	for by, read := range readers(strings.TrimSuffix(example, "Host *\n  ProxyJump all\n"), Query{Destination: "web2", User: "ops"}) {
		t.Run(by, func(t *testing.T) {
			if h, err := read(t); err != nil || h.Proxy != "nc -x proxy web2 22 as ops for web2" {
				t.Errorf("got %q, %v", h.Proxy, err)
			}
		})
	}
}

func TestAConfigurationThatCannotBeReadIsTold(t *testing.T) {
	remotetest.Need(t, "ssh")
	r := config(t, "Host *\n  Porrt 22\n")
	_, err := r.Host(Query{Destination: "web1"})
	want := "~/.ssh/config for web1: ssh -G: " + r.File + ": terminating, 1 bad configuration options"
	var e *Error
	if !errors.As(err, &e) || e.Error() != want || e.Code() != "FD-SSH-CONFIG" || !strings.Contains(e.Hint(), "ssh -G web1") {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A destination is never an option of ssh.
func TestADestinationIsNoOption(t *testing.T) {
	remotetest.Need(t, "ssh")
	trap := filepath.Join(t.TempDir(), "trap")
	h, err := config(t, "").Host(Query{Destination: "-oProxyCommand=touch " + trap})
	if err == nil && h.Proxy != "" {
		t.Errorf("taken for an option: %+v", h)
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("it was run")
	}
}

func TestAConnectionOverAProxyCommand(t *testing.T) {
	s := remotetest.Start(t)
	c := s.Config()
	command := fmt.Sprintf("socat - TCP:127.0.0.1:%d", s.Port)
	remotetest.Need(t, "socat")
	c.Dial = dialer(command)
	m := remotetest.Machine(t, c)
	if out, err := m.Run(t.Context(), "echo hello"); err != nil || string(out) != "hello\n" {
		t.Errorf("got %q, %v", out, err)
	}
	c.Dial = dialer(`sh -c 'printf "no way \033[31m\n" >&2'`)
	err := remotetest.Machine(t, c).Connect(t.Context())
	var coded interface{ Code() string }
	if want := "connect to " + s.HostPort() + `: ProxyCommand: no way \x1b[31m`; err == nil || err.Error() != want || !errors.As(err, &coded) || coded.Code() != "FD-SSH-PROXY" {
		t.Errorf("got %v, want %s", err, want)
	}
}
