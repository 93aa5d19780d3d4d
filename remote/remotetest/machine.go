package remotetest

import (
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
)

// Config reaches the sshd as flipdeploy does.
func (s *SSHD) Config() remote.Config {
	return remote.Config{
		Name: "web1", Address: s.Address, Port: s.Port, User: s.User,
		IdentityFiles: []string{s.KeyFile}, KnownHosts: []string{s.KnownHosts},
		ConnectTimeout: 5 * time.Second,
	}
}

// Machine is the sshd as a machine, closed when the test ends.
func (s *SSHD) Machine(t testing.TB) *remote.Machine {
	t.Helper()
	return Machine(t, s.Config())
}

// Machine is a machine that is closed when the test ends.
func Machine(t testing.TB, c remote.Config) *remote.Machine {
	t.Helper()
	m := remote.New(c)
	t.Cleanup(func() { _ = m.Close() })
	return m
}
