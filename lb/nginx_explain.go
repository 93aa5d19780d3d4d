package lb

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// explain turns what our script printed before it failed into its error. What is not
// ours, a fence or a lost connection, is passed on.
func (n *Nginx) explain(doing string, err error) error {
	var e exited
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	var said []string
	for line := range strings.Lines(string(e.Stdout())) {
		line = strings.TrimRight(line, "\n")
		if words, ok := strings.CutPrefix(line, "fd-lb say "); ok {
			said = append(said, logWords(words))
		} else if words, ok := strings.CutPrefix(line, "fd-lb refused "); ok {
			return nginxRefused(strings.Fields(words))
		} else if words, ok := strings.CutPrefix(line, "fd-lb fail "); ok {
			what, rest, _ := strings.Cut(words, " ")
			f := n.fails(what, rest, said)
			f.evidence = said
			return f
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func nginxRefused(w []string) error {
	switch w[0] {
	case "restarted":
		return &RefusedError{Reason: reasonMoved, Detail: "nginx was reloaded"}
	case reasonMoved:
		return &RefusedError{Reason: reasonMoved, Detail: strings.Join(w[1:], " ")}
	}
	return refused(w[0], w[1:])
}

// fails says what went wrong, with the last words of nginx.
func (n *Nginx) fails(what, rest string, said []string) *Fault {
	first := gravest(said)
	switch what {
	case "no-pid", "no-master":
		return fault("FD-LB-NGINX-DOWN", "start nginx with `systemctl start nginx`, or correct `config`", "nginx does not run: %s names no nginx master process", n.pidFileNow())
	case "upgrade":
		return fault("FD-LB-NGINX-UPGRADE", "finish the binary upgrade: kill -QUIT the old master", "two nginx masters run: %s.oldbin is there", n.pidFileNow())
	case "no-probe-tool":
		return fault("FD-LB-NO-PROBE-TOOL", "on the balancer: apt-get install perl", "nothing there opens a connection: none of perl, python3, curl, socat, nc")
	case "broken":
		return fault("FD-LB-NGINX-BROKEN", "mend what `nginx -t` says, on the balancer", "nginx -t fails before anything was changed: %s", first)
	case "after":
		return fault("FD-LB-NGINX-EDIT", "run `nginx -t` on the balancer", "nginx does not accept its own configuration with the flag changed, the old bytes are back: %s", first)
	case "reload":
		return fault("FD-LB-NGINX-RELOAD", "run `nginx -s reload` on the balancer", "nginx did not reload, the old bytes are back: %s", first)
	case "not-live":
		return fault("FD-LB-NGINX-NOT-LIVE", "see nginx's error log on the balancer", "nginx said yes to the reload and runs on with what it had, the old bytes are back: %s", first)
	case "not-back":
		return fault("FD-LB-NGINX-LEFT", "mend the balancer's disk, see that `nginx -t` is content, then run `flipdeploy resume`", "%s could not be put back as it was, nginx runs on with what it had: %s", rest, first)
	case "write":
		return fault("FD-LB-NGINX-WRITE", "see whether the disk is full or read-only, and who may write there", "%s could not be written, it is as before: %s", rest, first)
	}
	return fault("FD-LB-NGINX", "run `flipdeploy doctor`", "nginx's configuration was not changed: %s %s", what, rest)
}

func (n *Nginx) pidFileNow() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conf == nil {
		return "its pid file"
	}
	return n.pidFile()
}

var logStamp = regexp.MustCompile(`^(nginx: |\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )(\[\w+\] )(\d+#\d+: )?(\*\d+ )?`)

// logWords is a line of nginx without when and which process.
func logWords(line string) string { return logStamp.ReplaceAllString(line, "$2") }

// gravest is the line that says why: the first [emerg], else the first.
func gravest(lines []string) string {
	for _, l := range lines {
		if strings.HasPrefix(l, "[emerg]") {
			return l
		}
	}
	if len(lines) == 0 || lines[0] == "" {
		return "no reason given"
	}
	return lines[0]
}
