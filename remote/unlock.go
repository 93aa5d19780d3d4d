package remote

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"golang.org/x/crypto/ssh"
)

// unlocked are the keys that were read before: opening an encrypted one takes a
// processor a good part of a second, and a fleet has one key and many hosts.
var unlocked keyCache

type keyCache struct {
	mu   sync.Mutex
	keys map[[32]byte]ssh.Signer
}

func (c *keyCache) parse(text []byte, phrase string) (s ssh.Signer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := sha256.Sum256(append([]byte(phrase+"\x00"), text...))
	if s, ok := c.keys[id]; ok {
		return s, nil
	}
	if phrase == "" {
		s, err = ssh.ParsePrivateKey(text)
	} else {
		s, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(phrase))
	}
	if err != nil {
		return nil, err
	}
	if c.keys == nil {
		c.keys = map[[32]byte]ssh.Signer{}
	}
	c.keys[id] = s
	return s, nil
}

// asked are the keys that a person was asked about: once each, however many machines
// want them.
var asked prompts

type prompts struct {
	mu   sync.Mutex
	keys map[[32]byte]opening
}

type opening struct {
	key ssh.Signer
	err error
}

// guesses is how often a person may mistype, as with ssh.
const guesses = 3

func (p *prompts) open(ctx context.Context, from string, text []byte, ask func(context.Context, string) (string, error)) (ssh.Signer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := sha256.Sum256(text)
	if o, done := p.keys[id]; done {
		return o.key, o.err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var o opening
	for range guesses {
		if o = try(ctx, from, text, ask); o.key != nil || ctx.Err() != nil {
			break
		}
	}
	if p.keys == nil {
		p.keys = map[[32]byte]opening{}
	}
	p.keys[id] = o
	return o.key, o.err
}

func try(ctx context.Context, from string, text []byte, ask func(context.Context, string) (string, error)) opening {
	phrase, err := ask(ctx, from)
	if err != nil {
		return opening{err: fmt.Errorf("%w and no passphrase was given: %w", errEncrypted, err)}
	}
	key, err := unlocked.parse(text, phrase)
	if err != nil {
		return opening{err: fmt.Errorf("%w and the passphrase does not open it", errEncrypted)}
	}
	return opening{key: key}
}
