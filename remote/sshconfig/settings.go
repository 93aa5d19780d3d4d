package sshconfig

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// settings are keywords in small letters, each with its values in order.
type settings map[string][]string

// parse reads what ssh -G prints: a keyword and a value a line.
func parse(text []byte) settings {
	s := settings{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if key = strings.ToLower(key); key != "" && value != "" {
			s[key] = append(s[key], value)
		}
	}
	return s
}

// first is the first value, which in ssh wins.
func (s settings) first(key string) string {
	if v := s[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// unset is the first value, "" for the word by which ssh says none.
func (s settings) unset(key string) string {
	if v := s.first(key); !strings.EqualFold(v, "none") {
		return v
	}
	return ""
}

var usualFiles = []string{
	"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519",
	"~/.ssh/id_ed25519_sk", "~/.ssh/id_xmss", "~/.ssh/id_dsa",
}

var errBothProxies = errors.New("it has both ProxyCommand and ProxyJump")

func (s settings) host(q Query) (Host, error) {
	h := Host{Name: q.Destination, User: q.User, Port: q.Port}
	if h.Port == 0 {
		port, err := strconv.Atoi(or(s.first("port"), "22"))
		if err != nil || port < 1 || port > 65535 {
			return h, fmt.Errorf("%q is not a port", s.first("port"))
		}
		h.Port = port
	}
	h.User = or(q.User, or(s.first("user"), localUser()))
	t := tokens(q, h)
	h.Name = t.fill(or(s.first("hostname"), q.Destination))
	t = tokens(q, h)
	h.Alias = t.fill(s.first("hostkeyalias"))
	h.Usual = s["identityfile"] == nil || subset(s["identityfile"], usualFiles)
	h.IdentityFiles, h.CertificateFiles = t.files(s["identityfile"]), t.files(s["certificatefile"])
	h.IdentitiesOnly = s.first("identitiesonly") == "yes"
	h.Agent = t.agent(s.first("identityagent"))
	h.KnownHosts = t.files(append(split(s.first("userknownhostsfile")), split(s.first("globalknownhostsfile"))...))
	if h.KnownHosts == nil { // without a file, none is known; nil would be the usual ones
		h.KnownHosts = []string{os.DevNull}
	}
	h.Jump = s.unset("proxyjump")
	h.Proxy = t.proxy(s.unset("proxycommand"))
	return h, s.unheeded(h)
}

// unheeded is what must not be overlooked and cannot be heeded.
func (s settings) unheeded(h Host) error {
	switch revoked := s.unset("revokedhostkeys"); {
	case h.Jump != "" && h.Proxy != "":
		return errBothProxies
	case revoked != "": // without it, whom it keeps out would be let in
		return fmt.Errorf(`RevokedHostKeys is not read here: write those of %s to known_hosts, as "@revoked * KEY"`, revoked)
	}
	return nil
}

// split parts a list of files. ssh prints them without quotes: what does not begin as
// a path does belongs to the one before it.
func split(text string) (list []string) {
	for _, word := range strings.Fields(text) {
		if n := len(list); n > 0 && !strings.ContainsAny(word[:1], "/~$%") && word != "none" {
			list[n-1] += " " + word
			continue
		}
		list = append(list, word)
	}
	return list
}

func subset(of, all []string) bool {
	return !slices.ContainsFunc(of, func(v string) bool { return !slices.Contains(all, v) })
}

func or(v, fallback string) string {
	if v == "" {
		return fallback
	}
	return v
}

func localUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}
