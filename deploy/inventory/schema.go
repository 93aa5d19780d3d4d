package inventory

import (
	"regexp"
	"strings"
)

// A kind is what a key's value may be.
type kind int

const (
	table    kind = iota // [name]
	tables               // [[name]]
	text                 // a string
	number               // an integer
	truth                // true or false
	duration             // a string as Go writes durations
	amount               // an integer, or a string like "25%"
	ports                // an integer or a list of them
	words                // a string or a list of them
	argv                 // a list of strings
	statuses             // an integer, a list of them, or a string like "2xx"
)

// A spec is one key. env marks values that expand ${env:NAME}.
type spec struct {
	key  string
	kind kind
	env  bool
}

var schema = []spec{
	{"app", table, false},
	{"app.name", text, false},
	{"app.artifact", text, true},
	{"app.sha256", text, true},
	{"app.allowed_signers", text, false},
	{"app.entry", text, false},
	{"app.path", text, false},
	{"app.port", ports, false},
	{"app.keep", number, false},
	{"app.run_as", text, false},

	{"reload", table, false},
	{"reload.preset", text, false},
	{"reload.install", text, false},
	{"reload.binary", text, false},
	{"reload.method", text, false},
	{"reload.signal", text, false},
	{"reload.pid_file", text, false},
	{"reload.pid_command", argv, false},
	{"reload.unit", text, false},
	{"reload.command", argv, false},
	{"reload.check", argv, false},
	{"reload.start", argv, false},
	{"reload.stop", argv, false},
	{"reload.sudo", truth, false},
	{"reload.timeout", duration, false},
	{"reload.settle", duration, false},
	{"reload.log", text, false},
	{"reload.on_env_change", text, false},

	{"health", table, false},
	{"health.kind", text, false},
	{"health.path", text, false},
	{"health.scheme", text, false},
	{"health.ca", text, false},
	{"health.host", text, false},
	{"health.port", number, false},
	{"health.status", statuses, false},
	{"health.body", text, false},
	{"health.command", argv, false},
	{"health.rise", number, false},
	{"health.interval", duration, false},
	{"health.timeout", duration, false},
	{"health.deadline", duration, false},
	{"health.version_path", text, false},
	{"health.via", text, false},

	{"rollout", table, false},
	{"rollout.parallel", amount, false},
	{"rollout.canary", amount, false},
	{"rollout.bake", duration, false},
	{"rollout.zone_bake", duration, false},
	{"rollout.min_serving", amount, false},
	{"rollout.max_failures", amount, false},
	{"rollout.on_failure", text, false},
	{"rollout.drain_timeout", duration, false},
	{"rollout.on_drain_timeout", text, false},
	{"rollout.lb_ready_timeout", duration, false},
	{"rollout.host_deadline", duration, false},
	{"rollout.progress_deadline", duration, false},

	{"rollout.judge", table, false},
	{"rollout.judge.min_requests", number, false},
	{"rollout.judge.bake_max", duration, false},
	{"rollout.judge.on_doubt", text, false},

	{"hooks", table, false},
	{"hooks.before", argv, false},
	{"hooks.after", argv, false},
	{"hooks.before_host", argv, false},
	{"hooks.after_host", argv, false},
	{"hooks.timeout", duration, false},

	{"ssh", table, false},
	{"ssh.user", text, false},
	{"ssh.port", number, false},
	{"ssh.identity_file", words, true},
	{"ssh.known_hosts", words, false},
	{"ssh.jump", text, false},
	{"ssh.config", truth, false},
	{"ssh.sudo", truth, false},

	{"state", table, false},
	{"state.dir", text, false},
	{"state.store", text, false},
	{"state.store_ca", text, false},
	{"state.store_cert", text, false},
	{"state.store_key", text, false},
	{"state.store_tls", truth, false},
	{"state.store_user", text, false},
	{"state.store_password", text, true},
	{"state.store_password_file", text, false},

	{"lb", tables, false},
	{"lb.name", text, false},
	{"lb.kind", text, false},
	{"lb.address", text, false},
	{"lb.upstream", words, false},
	{"lb.socket", text, false},
	{"lb.master_socket", text, false},
	{"lb.config", text, false},
	{"lb.zone", text, false},
	{"lb.ssh_user", text, false},
	{"lb.ssh_port", number, false},
	{"lb.ssh_identity_file", words, true},
	{"lb.ssh_known_hosts", words, false},
	{"lb.ssh_jump", text, false},
	{"lb.ssh_sudo", truth, false},

	{"host", tables, false},
	{"host.name", text, false},
	{"host.address", text, false},
	{"host.backend", words, false},
	{"host.zone", text, false},
	{"host.labels", argv, false},
	{"host.path", text, false},
	{"host.port", ports, false},
	{"host.ssh_user", text, false},
	{"host.ssh_port", number, false},
	{"host.ssh_identity_file", words, true},
	{"host.ssh_known_hosts", words, false},
	{"host.ssh_jump", text, false},
	{"host.ssh_sudo", truth, false},
}

var specs = func() map[string]spec {
	m := make(map[string]spec, len(schema))
	for _, s := range schema {
		m[s.key] = s
	}
	return m
}()

// Keys is every key that an inventory may hold, in the order of the example;
// those of [[lb]] and [[host]] without an index.
func Keys() []string {
	var keys []string
	for _, s := range schema {
		if s.kind != table && s.kind != tables {
			keys = append(keys, s.key)
		}
	}
	return keys
}

var indexes = regexp.MustCompile(`\[\d+\]`)

// plain is a full key without indexes, as the schema has it.
func plain(key string) string { return indexes.ReplaceAllString(key, "") }

// siblings are the last parts of all keys directly below a plain key.
func siblings(key string) []string {
	var names []string
	for _, s := range schema {
		i := strings.LastIndexByte(s.key, '.')
		if parent := s.key[:max(0, i)]; parent == key {
			names = append(names, s.key[i+1:])
		}
	}
	return names
}
