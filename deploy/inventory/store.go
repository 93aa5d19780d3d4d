package inventory

import (
	"net"
	"strings"
)

// An Etcd is where state.store says that state is kept, and how it is spoken to.
type Etcd struct {
	Endpoints     []string // host:port
	Prefix        string   // of its keys, begins with /
	TLS           bool
	CA, Cert, Key string // files of PEM on this machine; "" is the system's CAs, and no certificate
	User          string // "" is nobody
	Password      string
	PasswordFile  string // its first line is the password
}

func (b *builder) state() State {
	s := b.section("state")
	st := State{Dir: s.str("dir", "/var/lib/flipdeploy", remotePath), Store: s.str("store", "", etcdURL)}
	st.Etcd = Etcd{CA: b.localFile(s, "store_ca"), Cert: b.localFile(s, "store_cert"), Key: b.localFile(s, "store_key"),
		User: s.str("store_user", "", userName), Password: s.str("store_password", ""), PasswordFile: b.localFile(s, "store_password_file")}
	st.Etcd.TLS = s.flag("store_tls", s.has("store_ca") || s.has("store_cert"))
	st.Etcd.Endpoints, st.Etcd.Prefix = etcdParts(st.Store)
	b.together(s)
	return st
}

var storeKeys = []string{"store_ca", "store_cert", "store_key", "store_tls", "store_user", "store_password", "store_password_file"}

// together are the faults of keys that make sense only together, or never.
func (b *builder) together(s section) {
	for _, key := range storeKeys {
		if s.has(key) && !s.has("store") && !s.n.kids[key].bad {
			s.fault(key, `is for a store, and there is none`, `set store = "etcd://host:2379", or leave it out`)
		}
	}
	for _, pair := range [][2]string{{"store_cert", "store_key"}, {"store_key", "store_cert"}} {
		if s.has(pair[0]) && !s.has(pair[1]) {
			s.fault(pair[0], "wants "+pair[1]+", too", "")
		}
	}
	for _, key := range []string{"store_ca", "store_cert"} {
		if n := s.get("store_tls"); n != nil && n.val == false && s.has(key) {
			s.fault(key, "is for TLS, and store_tls is false", "")
		}
	}
	secret := s.has("store_password") || s.has("store_password_file")
	if s.has("store_password") && s.has("store_password_file") {
		s.fault("store_password_file", "stands beside store_password: give one of them", "")
	}
	switch user := s.has("store_user"); {
	case secret && !user:
		s.fault("store_user", "missing: the password is somebody's", "")
	case user && !secret:
		s.fault("store_user", "has no password", `set store_password = "${env:NAME}", or store_password_file`)
	case secret && s.get("store") != nil && !s.flag("store_tls", s.has("store_ca") || s.has("store_cert")) && !allLocal(s.str("store", "")):
		s.fault("store_user", "its password would cross the network for everybody to read", "set store_ca, or store_tls = true")
	}
}

func (b *builder) localFile(s section, key string) string {
	if files := b.locals(s, key, nil); len(files) > 0 {
		return files[0]
	}
	return ""
}

// etcdURL wants etcd://host:port,…, and perhaps a path, below which the keys are.
func etcdURL(v string) string {
	rest, ok := strings.CutPrefix(v, "etcd://")
	if !ok {
		return quote(v) + ` is not a store: write it like "etcd://10.0.0.5:2379,10.0.0.6:2379"`
	}
	hosts, path, _ := strings.Cut(rest, "/")
	if strings.Contains(hosts, "@") {
		return "a user does not belong in the address: set store_user"
	}
	for h := range strings.SplitSeq(hosts, ",") {
		if wrong := hostPort(withPort(h)); wrong != "" {
			return wrong
		}
	}
	if path == "" {
		return ""
	}
	return remotePath("/" + path)
}

// withPort adds etcd's own port to an address without.
func withPort(h string) string {
	if _, _, err := net.SplitHostPort(h); err != nil && h != "" {
		return net.JoinHostPort(unbracket(h), "2379")
	}
	return h
}

func etcdParts(v string) (endpoints []string, prefix string) {
	rest, ok := strings.CutPrefix(v, "etcd://")
	if !ok {
		return nil, ""
	}
	hosts, path, _ := strings.Cut(rest, "/")
	for h := range strings.SplitSeq(hosts, ",") {
		endpoints = append(endpoints, withPort(h))
	}
	if path == "" {
		path = "flipdeploy"
	}
	return endpoints, "/" + path
}

// allLocal tells that no packet leaves this machine.
func allLocal(v string) bool {
	endpoints, _ := etcdParts(v)
	for _, e := range endpoints {
		host, _, _ := net.SplitHostPort(e)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
