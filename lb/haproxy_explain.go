package lb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// exited is a script that ran and said no, whoever ran it.
type exited interface {
	error
	ExitCode() int
	Stdout() []byte
}

// explain turns what our script printed before it failed into its error. What is
// not ours, a fence or a lost connection, is passed on.
func (h *HAProxy) explain(doing string, err error) error {
	var e exited
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	for line := range strings.Lines(string(e.Stdout())) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "fd-lb" {
			continue
		}
		switch words[1] {
		case "refused":
			return refused(words[2], words[3:])
		case "fail":
			return h.failed(words[2], words[3:])
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func refused(reason string, w []string) error {
	at := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	e := &RefusedError{Reason: reason, Detail: strings.Join(w, " ")}
	switch reason {
	case ReasonFloor:
		e.Serving, _ = strconv.Atoi(at(0))
		e.Min, _ = strconv.Atoi(at(1))
		e.Detail = at(2)
	case ReasonOut:
		e.Detail = at(0) + " is " + bitsWord(at(1))
	case ReasonChanged:
		e.Detail = at(0) + " is " + bitsWord(at(1))
		if s := at(2); s != "" && s != "-" {
			e.Detail += ", we left it in " + bitsWord(s)
		}
	}
	return e
}

// bitsWord reads what decide.awk prints: bits of srv_admin_state, or a word.
func bitsWord(s string) string {
	if n, err := strconv.Atoi(s); err == nil {
		return stateWord(n)
	}
	if s == "weight" {
		return "at weight 0"
	}
	return s
}

func (h *HAProxy) failed(what string, w []string) error {
	rest := strings.Join(w, " ")
	w = append(w, "")
	switch what {
	case "no-tool":
		return fault("FD-LB-NO-SOCKET-TOOL", "on the balancer: apt-get install socat",
			"nothing there speaks to a unix socket: none of socat, nc -U, perl, python3")
	case "missing":
		return fault("FD-LB-SOCKET-MISSING", "add `stats socket "+h.cfg.Socket+" mode 660 level admin` to HAProxy's global section, or correct `socket`",
			"socket %s does not exist", rest)
	case "no-socket":
		return fault("FD-LB-SOCKET-MISSING", "remove that file and reload HAProxy", "%s is no socket", w[0])
	case "denied":
		return denied(rest)
	case "ask":
		return h.unasked(rest)
	case "master":
		return fault("FD-LB-MASTER", "start HAProxy with -W -S "+h.cfg.MasterSocket+",mode,660, or remove master_socket", "master socket %s: %s", h.cfg.MasterSocket, rest)
	case "set":
		if strings.Contains(rest, "Permission denied") {
			return level("less than admin")
		}
		return fault("FD-LB-SET", "try it by hand: echo 'set server POOL/SERVER state drain' | socat -t10 - UNIX-CONNECT:"+h.cfg.Socket, "HAProxy refused to set %s", rest)
	}
	if strings.Contains(rest, "ermission denied") {
		return level("less than user")
	}
	return badReply(fmt.Errorf("%s %s", what, rest))
}

func denied(rest string) error {
	return fault("FD-LB-SOCKET-DENIED", "add the SSH user to the socket's group, or set ssh.sudo = true with socat installed",
		"socket %s may not be written", strings.TrimSpace(rest))
}

func level(have string) *Fault {
	return fault("FD-LB-LEVEL", "give the `stats socket` line `level admin` and reload HAProxy", "the socket has level %s, it needs admin", have)
}

// unasked: the tool could not connect. Its last words tell why.
func (h *HAProxy) unasked(rest string) error {
	status, words, _ := strings.Cut(rest, " ")
	switch {
	case status == "124":
		words = "no answer within 12s"
	case status == "126", status == "127": // the tool itself is broken
	case strings.Contains(words, "Connection refused"):
		return fault("FD-LB-SOCKET-STALE", "start HAProxy: systemctl status haproxy", "nobody listens on socket %s", h.cfg.Socket)
	case strings.Contains(words, "No such file"):
		return h.failed("missing", []string{h.cfg.Socket})
	case strings.Contains(words, "ermission denied"), strings.Contains(words, "a password is required"):
		return denied(h.cfg.Socket)
	}
	return fault("FD-LB-SOCKET", "ask it by hand: echo 'show info' | socat -t10 - UNIX-CONNECT:"+h.cfg.Socket, "socket %s: %s", h.cfg.Socket, words)
}
