package remote_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

func TestTheRoundTripIsThatOfTheLink(t *testing.T) {
	s := remotetest.Start(t)
	cable := remotetest.Plug(t, s.HostPort())
	s.TrustAt(t, cable.Addr)
	c := s.Config()
	c.Port, c.ConnectTimeout, c.CallTimeout = cable.Port(), 20*time.Second, time.Second
	m := remotetest.Machine(t, c)
	if n, lag, answer := m.Sessions(), m.Lag(), m.Answer(); n != 0 || lag != 0 || answer != 0 {
		t.Errorf("%d sessions, %s, %s, without a connection", n, lag, answer)
	}
	d, err := m.RoundTrip(t.Context())
	if err != nil || d <= 0 || m.Sessions() != 8 {
		t.Errorf("%s, %d sessions, %v", d, m.Sessions(), err)
	}
	if lag := m.Lag(); runtime.GOOS == "linux" && (lag <= 0 || lag > d) {
		t.Errorf("the kernel saw %s, of %s in all", lag, d)
	}
	if answer := m.Answer(); answer < m.Lag() || answer <= 0 {
		t.Errorf("it answered after %s", answer)
	}
	cable.Freeze()
	if _, err := m.RoundTrip(t.Context()); err == nil || err.Error() != "ask for an answer: no answer for 1s" {
		t.Errorf("got %v", err)
	}
	cable.Thaw()
	_ = m.Close()
	if _, err := m.RoundTrip(t.Context()); err == nil || m.Sessions() != 0 {
		t.Errorf("a closed machine: %v, %d sessions", err, m.Sessions())
	}
}

func TestBehindABastionOneChannelHasAllSessions(t *testing.T) {
	s := remotetest.Start(t)
	c := s.Config()
	c.Via = s.Machine(t)
	m := remotetest.Machine(t, c)
	if d, err := m.RoundTrip(t.Context()); err != nil || d <= 0 || m.Sessions() != 0 || m.Lag() != 0 {
		t.Errorf("%s, %s, %d sessions, %v", d, m.Lag(), m.Sessions(), err)
	}
}

func TestASessionIsTold(t *testing.T) {
	m, told := remotetest.Start(t).Machine(t), 0
	ctx := remote.Opened(t.Context(), func() { told++ })
	if _, err := m.Run(ctx, "true"); err != nil || told != 1 {
		t.Errorf("told %d times: %v", told, err)
	}
	_ = m.Close()
	if _, err := m.Run(ctx, "true"); err == nil || told != 1 {
		t.Errorf("without a session: told %d times: %v", told, err)
	}
}
