package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy/health"
)

// A vantage through which the nth question is answered with the nth letter: g is good, b
// is bad, l is lost for good, t is lost and found again; the last letter stays.
type flaky struct {
	answers string
	asked   int
	lost    bool
}

func (f *flaky) DialContext(context.Context, string, string) (net.Conn, error) {
	letter := f.answers[min(f.asked, len(f.answers)-1)]
	f.asked++
	f.lost = f.lost || letter == 'l'
	if letter != 'g' {
		return nil, io.EOF
	}
	ours, theirs := net.Pipe()
	return ours, theirs.Close()
}

func (f *flaky) Run(context.Context, string) ([]byte, error) {
	if f.lost {
		return nil, errors.New("connect to 10.0.0.2:22: connection refused")
	}
	return nil, nil
}

// That a balancer's machine was lost while a host was asked from there says nothing of the
// host.
func TestTheHealthOfAHostIsUnknownWhereTheWayWasLost(t *testing.T) {
	const unknown = "its health is not known: edge1 was lost meanwhile: connect to 10.0.0.2:22: connection refused"
	for _, c := range []struct {
		edge1, edge2   string
		asked, healthy bool
		why            string
	}{
		{"g", "", true, true, "<nil>"},
		{"b", "", true, false, "from edge1: connection closed before the end of the answer"},
		{"l", "", false, false, unknown},
		{"bl", "", false, false, unknown},
		{"tg", "", true, true, "<nil>"},
		{"l", "g", true, true, "<nil>"},
		{"l", "b", true, false, "from edge2: connection closed before the end of the answer"},
		{"l", "l", false, false, "its health is not known: edge2 was lost meanwhile: connect to 10.0.0.2:22: connection refused"},
		{"", "", false, false, "nobody is there to ask it for its health"},
	} {
		from := []health.Vantage{}
		for i, answers := range []string{c.edge1, c.edge2} {
			if answers != "" {
				from = append(from, health.Vantage{Name: fmt.Sprintf("edge%d", i+1), Dialer: &flaky{answers: answers}, Addr: "10.0.0.11:8080"})
			}
		}
		h := hostStatus{Name: "web1"}
		err := h.probe(t.Context(), &checker{check: health.Check{Kind: health.TCP}, from: map[string][]health.Vantage{"web1": from}}, "web1")
		if fmt.Sprint(err) != c.why || bool(h.Asked) != c.asked || h.Healthy != c.healthy {
			t.Errorf("%q %q: asked %v, healthy %v: %v\nwant %v, %v: %s", c.edge1, c.edge2, h.Asked, h.Healthy, err, c.asked, c.healthy, c.why)
		}
	}
}

// What could not be asked is shown as ?, never as no.
func TestWhatIsNotKnownIsNoNo(t *testing.T) {
	st := aStatus()
	st.Hosts[0].Asked, st.Hosts[0].Healthy = false, false
	st.Hosts[1].Reachable, st.Hosts[1].Running, st.Hosts[1].Release = false, false, ""
	want := "host  release  running      healthy  edge1\n" +
		"web1  v1-1     yes          ?        ready\n" +
		"web2  ?        unreachable  yes      ready"
	if got := strings.Join(st.rows().Lines(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
