package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

var (
	errConnectTimeout = errors.New("no answer in time")
	// errDropped: the connection ended before the other side greeted.
	errDropped = errors.New("the connection was dropped before sshd greeted")
	errNoSSH   = errors.New("no SSH server answers there")
)

// An authError tells that none of the offered keys was taken.
type authError struct {
	offered []string
	more    int // that there was no room for
	many    bool
	err     error
}

func (e *authError) Error() string {
	text := "no key was accepted; offered: " + strings.Join(e.offered, ", ")
	switch {
	case len(e.offered) == 0:
		return "no key to offer"
	case e.many:
		text = "too many keys for this sshd, it hung up; offered: " + strings.Join(e.offered, ", ")
	}
	if e.more > 0 {
		text += fmt.Sprintf("; not offered: %d more", e.more)
	}
	return text
}

func (e *authError) Unwrap() error { return e.err }

// advise is the code, and what to do about it.
func (e *authError) advise(user, login string) (code, hint string) {
	switch {
	case len(e.offered) == 0:
		return "FD-SSH-AUTH", "name a key as ssh.identity_file, add one to the agent (ssh-add), or give its text in " + envKey
	case e.many:
		return "FD-SSH-TOO-MANY", "name the right key as ssh.identity_file, so that it is the first, then try: " + login
	case e.more > 0:
		return "FD-SSH-AUTH", fmt.Sprintf("sshd hangs up after some keys, so only %d are offered: name the right one as ssh.identity_file, then try: %s", maxKeys, login)
	}
	return "FD-SSH-AUTH", "put one of these keys into ~" + user + "/.ssh/authorized_keys there, or beside it here (…-cert.pub) a certificate for " +
		user + " by an authority of its TrustedUserCAKeys" + asRoot(user) + ", then try: " + login
}

// asRoot is what sshd wants before it lets in root.
func asRoot(user string) string {
	if user != "root" {
		return ""
	}
	return ", and have sshd_config there say PermitRootLogin prohibit-password"
}

// explainHandshake turns what the library says, mostly text, into errors that
// can be told apart.
func explainHandshake(ctx context.Context, err error, greeting string, offer *offer) error {
	var own interface { // a host key that is not trusted, a ProxyCommand that complains
		error
		Code() string
	}
	switch text := err.Error(); {
	case errors.As(err, &own):
		return own
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case strings.Contains(text, "unable to authenticate"):
		return &authError{offered: offer.names, more: offer.more, err: err}
	case strings.Contains(text, "Too many authentication failures"):
		return &authError{offered: offer.names, more: offer.more, many: true, err: err}
	case !greeted(greeting):
		return explainSilence(err, greeting)
	}
	return err
}

func greeted(text string) bool {
	return strings.HasPrefix(text, "SSH-") || strings.Contains(text, "\nSSH-")
}

// explainSilence: sshd ends a connection at once when it has too many
// (MaxStartups) and when it has banned the address (PerSourcePenalties).
func explainSilence(err error, greeting string) error {
	said := strings.TrimSpace(Clean(greeting))
	switch {
	case said == "" && closed(err), strings.Contains(said, "MaxStartups"):
		return errDropped
	case strings.HasPrefix(said, "Not allowed"):
		return fmt.Errorf("sshd refuses this address for now: %s", said)
	case said == "":
		return err
	}
	return fmt.Errorf("%w; it said %q", errNoSSH, said)
}

func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// notConnected is err as the caller of Connect sees it.
func (m *Machine) notConnected(err error) error {
	var already *NotStartedError
	if errors.As(err, &already) {
		return err
	}
	code, hint := m.advise(err)
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound { // which resolver said so is nobody's business
		err = &noName{err, dns.Name}
	}
	if silent(err) { // whose clock ran out first is nobody's business
		err = &silence{err}
	}
	return &NotStartedError{fault{
		Doing: "connect to " + m.cfg.hostPort(), Err: err, code: code, hint: hint, machine: m.cfg.Name,
	}}
}

// advise is the stable code of a failed connection and what to do about it.
func (m *Machine) advise(err error) (code, hint string) {
	var own interface {
		Code() string
		Hint() string
	}
	var dns *net.DNSError
	var auth *authError
	var algo *ssh.AlgorithmNegotiationError
	at, login := m.cfg.hostPort(), m.login()
	switch {
	case errors.As(err, &own):
		return own.Code(), own.Hint()
	case errors.As(err, &auth):
		return auth.advise(m.cfg.User, login)
	case errors.As(err, &algo):
		return "FD-SSH-ALGO", "update the SSH server on " + m.cfg.Address + ": it offers only algorithms that are no longer safe"
	case errors.As(err, &dns):
		return "FD-SSH-DNS", "check the address in the inventory: getent hosts " + m.cfg.Address
	case errors.Is(err, syscall.ECONNREFUSED):
		return "FD-SSH-REFUSED", "nothing listens at " + at + ": is sshd up, and is the port right?"
	case errors.Is(err, context.Canceled), errors.Is(err, errClosed):
		return "FD-SSH-CANCELLED", "the run was ended here; nothing is wrong with " + m.cfg.Name
	case timedOut(err):
		return "FD-SSH-TIMEOUT", "is the machine up and the way to it open? try: " + login
	case errors.Is(err, errNoSSH):
		return "FD-SSH-PROTOCOL", "another service listens at " + at + ": check address and port"
	}
	return "FD-SSH-RESET", "see sshd's log on the machine (journalctl -u ssh), then try: " + login
}

func (m *Machine) login() string {
	jump := ""
	for via := m.cfg.Via; via != nil; via = via.cfg.Via {
		jump = strings.TrimSuffix(via.Login()+","+jump, ",")
	}
	if jump != "" {
		jump = "-J " + jump + " "
	}
	return fmt.Sprintf("ssh %s-p %d %s@%s true", jump, m.cfg.Port, m.cfg.User, m.cfg.Address)
}

// A noName is a name without an address, in the same words wherever it was asked for.
type noName struct {
	err  error
	name string
}

func (e *noName) Error() string { return "the name " + Clean(e.name) + " has no address" }
func (e *noName) Unwrap() error { return e.err }

// A silence is the end of any clock of ours, in the same words.
type silence struct{ err error }

func (*silence) Error() string   { return errConnectTimeout.Error() }
func (s *silence) Unwrap() error { return s.err }

func silent(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &n) && n.Timeout() && !errors.Is(err, syscall.ETIMEDOUT)
}

// timedOut counts "no route to host" too: a router's word for silence.
func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, errConnectTimeout) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, syscall.ENETUNREACH) || errors.As(err, &n) && n.Timeout()
}
