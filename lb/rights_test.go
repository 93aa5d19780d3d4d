package lb

import (
	"fmt"
	"testing"
)

// Commands that write nginx's configuration are root's, and it is said why.
func TestRightsSayWhatAmountsToRoot(t *testing.T) {
	r := needed([]byte("cannot sudo /usr/sbin/nginx -t\nneeds /usr/bin/tee /etc/nginx/x\n== checked\n"), "it writes nginx's configuration")
	if fmt.Sprint(r) != "{[/usr/bin/tee /etc/nginx/x] [it writes nginx's configuration]}" {
		t.Errorf("%q", r)
	}
	if r := needed([]byte("== checked\n"), "it writes nginx's configuration"); len(r.Root) != 0 {
		t.Errorf("nothing goes through sudo, and yet %q", r)
	}
}

// Who may not write nginx's directory may mostly not test it either: that does not make
// the configuration a broken one.
func TestNginxThatMayNotBeTestedIsNotBroken(t *testing.T) {
	denied := "broken [emerg] open() \"/run/nginx.pid\" failed (13: Permission denied)\n"
	for out, want := range map[string]string{
		denied + "cannot write /etc/nginx root:root 755\n": "/etc/nginx root:root 755 may not be written",
		denied: `nginx -t fails before anything was changed: [emerg] open() "/run/nginx.pid" failed (13: Permission denied)`,
	} {
		if got := new(Nginx).machineFaults(out).Error(); got != want {
			t.Errorf("%q: %s, want %s", out, got, want)
		}
	}
}
