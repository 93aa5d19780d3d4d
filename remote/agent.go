package remote

import (
	"context"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// A keyAgent is the user's ssh-agent, asked for signatures only; it is never
// forwarded. A nil one holds nothing.
type keyAgent struct {
	conn   net.Conn
	client agent.ExtendedAgent
	stop   func() bool
}

// agentPatience bounds an agent that waits for a person's touch.
const agentPatience = 20 * time.Second

// dialAgent reaches the agent at path, "" for that of the environment. It is left when
// ctx ends, whatever it is asked then.
func dialAgent(ctx context.Context, path string) *keyAgent {
	path = or(path, os.Getenv("SSH_AUTH_SOCK"))
	if path == "" || path == "none" {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil
	}
	a := &keyAgent{conn, agent.NewClient(conn), context.AfterFunc(ctx, func() { _ = conn.Close() })}
	a.extend()
	return a
}

func (a *keyAgent) close() {
	if a != nil {
		a.stop()
		_ = a.conn.Close()
	}
}

// extend gives the agent its time anew: between listing keys and signing lies
// the wait for a free handshake.
func (a *keyAgent) extend() {
	if a != nil {
		_ = a.conn.SetDeadline(time.Now().Add(agentPatience))
	}
}

func (a *keyAgent) signers() []ssh.Signer {
	if a == nil {
		return nil
	}
	signers, err := a.client.Signers()
	if err != nil {
		return nil
	}
	return signers
}

func (a *keyAgent) addAll(o *offer) {
	for _, s := range a.signers() {
		o.add(s, "agent")
	}
}

// find is the agent's signer for the key, nil when it has none.
func (a *keyAgent) find(public ssh.PublicKey) ssh.Signer {
	if public == nil {
		return nil
	}
	for _, s := range a.signers() {
		if same(s.PublicKey(), public) {
			return s
		}
	}
	return nil
}
