package remote

import (
	"errors"
	"net"
	"testing"
)

// Resolvers say it in many ways; that of the test's machine may not even be there.
func TestANameWithoutAnAddressIsTold(t *testing.T) {
	m := New(Config{Name: "web1", Address: "web1.inside", User: "deploy"})
	found := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "web1.inside", Server: "10.0.0.53:53", IsNotFound: true}}
	err := m.notConnected(found)
	var not *NotStartedError
	if !errors.As(err, &not) || err.Error() != "connect to web1.inside:22: the name web1.inside has no address" ||
		not.Code() != "FD-SSH-DNS" || not.Hint() != "check the address in the inventory: getent hosts web1.inside" {
		t.Errorf("says %v", err)
	}
}
