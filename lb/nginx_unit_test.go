package lb

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestTooManyOldWorkersAllowNoReload(t *testing.T) {
	n := NewNginx(NginxConfig{Config: "/etc/nginx/nginx.conf", Upstreams: []string{"shop"}, MaxOld: 2}, nil)
	s := &nginxSnapshot{nginxLook: &nginxLook{live: make([]nginxWorker, 2), old: make([]nginxWorker, 4)}}
	if err := n.crowded(s); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	s.old = make([]nginxWorker, 5)
	if got := fmt.Sprint(n.crowded(s)); got != "5 old nginx workers are still shutting down, beside 2: no further reload is made" {
		t.Errorf("got %s", got)
	}
}

func TestABusyNginxIsTold(t *testing.T) {
	for _, c := range []struct {
		e       BusyError
		want    string
		lasting bool
	}{
		{BusyError{Sessions: 2, OldWorkers: 1, After: time.Second}, "still 2 sessions, 1 old nginx worker after 1s", true},
		{BusyError{Sessions: 1, OldWorkers: 3, After: time.Second, Arriving: true}, "still 1 session, 3 old nginx workers after 1s", false},
		{BusyError{OldWorkers: 2, After: time.Second}, "still 0 sessions, 2 old nginx workers after 1s", false},
	} {
		if c.e.Error() != c.want || c.e.Lasting() != c.lasting || c.e.Hint() == "" {
			t.Errorf("got %q, lasting %v, want %q", c.e.Error(), c.e.Lasting(), c.want)
		}
	}
}

// The title is all that is left of the arguments.
func TestNginxArgumentsFollowTheRunningMaster(t *testing.T) {
	n := NewNginx(NginxConfig{Config: "/etc/nginx/nginx.conf"}, nil)
	for title, want := range map[string]string{
		"nginx: master process /usr/sbin/nginx -g daemon on; master_process on;":      "-c /etc/nginx/nginx.conf",
		"nginx: master process nginx -c /etc/nginx/nginx.conf -p /srv/ng":             "-c /etc/nginx/nginx.conf -p /srv/ng",
		"nginx: master process nginx -g load_module modules/x.so; daemon off;":        "-c /etc/nginx/nginx.conf -g 'load_module modules/x.so; daemon off;'",
		"nginx: master process nginx -g daemon off; -c /etc/nginx/nginx.conf -p /x/y": "-c /etc/nginx/nginx.conf -p /x/y",
	} {
		if got := n.arguments(title); got != want {
			t.Errorf("%s: got %s, want %s", title, got, want)
		}
	}
}

func TestReloadCostIsToldByVersion(t *testing.T) {
	set, err := parseConf("/c", "keepalive_min_timeout 1s;")
	if err != nil {
		t.Fatal(err)
	}
	without := &nginxConf{main: "/c", files: map[string]*confFile{"/c": {path: "/c"}}}
	with := &nginxConf{main: "/c", files: map[string]*confFile{"/c": set}}
	const can = ": each nginx reload can reset busy keep-alive connections of clients that do not retry; "
	for _, c := range []struct {
		version string
		conf    *nginxConf
		want    string
	}{
		{"1.22.1", without, "nginx 1.22.1" + can + "keepalive_min_timeout, from nginx 1.27.4 on, cures it"},
		{"1.27.3", with, "nginx 1.27.3" + can + "keepalive_min_timeout, from nginx 1.27.4 on, cures it"},
		{"1.27.4", without, "nginx 1.27.4" + can + "`keepalive_min_timeout 1s;` in the http block cures it"},
		{"1.28.0", with, "nginx 1.28.0: keepalive_min_timeout 1s: a reload resets no busy keep-alive connection"},
	} {
		if got := reloadCost(c.version, c.conf); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

type answers []string

func (a *answers) Run(context.Context, string) ([]byte, error) {
	if len(*a) == 0 {
		return nil, context.DeadlineExceeded
	}
	one := (*a)[0]
	*a = (*a)[1:]
	return []byte(one), nil
}

func TestAnAnswerAboutNginxThatIsCutShortIsNoAnswer(t *testing.T) {
	const whole = "== nginx\nglob /n\npath /n\nsum aa  /n\ntext 2 /n\na;\n== end\n"
	if _, err := parseLook(whole); err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) - 1 {
		if _, err := parseLook(whole[:n]); err == nil {
			t.Errorf("cut at %d and no error", n)
		}
	}
	n := NewNginx(NginxConfig{Config: "/n"}, &answers{whole[:40]})
	_, err := n.Seats(t.Context())
	if !codeIs(err, "FD-LB-REPLY") {
		t.Errorf("got %v", err)
	}
}
