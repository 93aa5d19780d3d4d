package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

// Marks of lines that a person has to look at: nothing works before the one, the other
// is a guess.
const (
	fillIn = "FILL IN:"
	check  = "CHECK:"
)

// text is the inventory as a newcomer reads it: what must be said first, the defaults
// behind #.
func (d *draft) text() string {
	var b draftText
	from := ""
	if d.from != nil {
		from = ", from " + strings.Join(d.from, " and ")
	}
	b.comment("An inventory of flipdeploy, written by flipdeploy init" + from + ".")
	b.comment(fillIn + " is needed before anything works, " + check + " is a guess. A key behind # shows its default.")
	if d.notes != nil {
		b.comment("")
		b.comment("What could not be used, or matters to a rollout:")
		for _, n := range d.notes {
			b.comment("  " + n)
		}
	}
	d.appText(&b)
	d.healthText(&b)
	b.line("")
	b.raw(draftDefaults)
	for _, l := range d.lbs {
		l.text(&b)
	}
	d.hostsText(&b)
	return b.String()
}

// A draftText is TOML as it grows.
type draftText struct{ strings.Builder }

func (b *draftText) line(s string) { b.WriteString(s + "\n") }
func (b *draftText) raw(s string)  { b.WriteString(s) }

// comment is one line that no terminal obeys, and that ends no comment.
func (b *draftText) comment(s string) { b.line(strings.TrimRight("# "+oneLine(s), " ")) }

// oneLine is s without what would end a comment, or mislead who reads it.
func oneLine(s string) string { return ui.Line("%s", strings.ReplaceAll(s, "\n", `\n`)) }

// key is `name = value   # why`; why may be empty.
func (b *draftText) key(name, value, why string) {
	text := name + " = " + value
	if why != "" {
		text = fmt.Sprintf("%-36s # %s", text, oneLine(why))
	}
	b.line(text)
}

func (d *draft) appText(b *draftText) {
	b.line("\n[app]")
	b.key("name", tomlText(d.app), check+" it names lock, journal and history on the machines, and stays")
	b.key("path", tomlText("/srv/"+d.app), check+" where the app lives on every host; releases are kept below it")
	why := check + " where it listens"
	if d.known {
		why = ""
	}
	b.key("port", tomlNumbers(d.ports), why)
	b.line("# keep = 5                           # releases kept on a host")
	b.line("# What is rolled out: a file, a directory, a .tar.gz or .tar.zst. Or: flipdeploy rollout --artifact PATH")
	b.line(`# artifact = "dist/` + d.app + `"`)
	b.line("\n# How the running app takes a new release over: systemd-restart, systemd-reload, stop-start,\n# tableflip (HUP, and a new process takes the sockets over), or custom.\n[reload]")
	b.key("preset", tomlText(or(d.preset, "systemd-restart")), check+" "+or(d.why, "a host is restarted while it is out of rotation"))
	b.key("unit", tomlText(d.app+".service"), check+" the systemd unit that runs the app")
}

func (d *draft) healthText(b *draftText) {
	h := d.health
	b.line("\n[health]")
	switch {
	case h.tcp && h.Path == "":
		b.key("kind", `"tcp"`, check+` a connection is all that is asked; "http" with a path proves more`)
	case strings.HasPrefix(h.Path, "/") && urlWord(h.Path):
		b.key("path", tomlText(h.Path), "as the balancer asks: "+h.Where)
	default:
		b.key("path", `"/health"`, check+" must answer 200 where the app is well")
	}
	if h.TLS {
		b.key("scheme", `"https"`, check+" the balancer speaks TLS to the hosts; ca and host may be needed, too")
	}
	if h.Host != "" {
		b.key("host", tomlText(h.Host), "")
	}
	if h.Port > 0 {
		b.key("port", strconv.Itoa(h.Port), "as the balancer asks")
	}
	if h.Status != nil {
		b.key("status", tomlNumbers(h.Status), "")
	}
	b.line("# rise = 3                           # good answers in a row")
}

func urlWord(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' })
}

// draftDefaults are what most change first.
const draftDefaults = `[rollout]
# parallel = 1                       # hosts out at a time, or "25%"
# canary = 1                         # hosts that go first, alone
# bake = "5s"                        # how long a host must stay well under traffic
# drain_timeout = "30s"              # for requests in flight
# on_failure = "rollback"            # or "pause", "continue"

[ssh]
# user = "deploy"                    # default: who runs flipdeploy
# identity_file = "~/.ssh/id_ed25519"    # default: the agent, else the usual files
# known_hosts = "~/.ssh/known_hosts" # flipdeploy trust writes there
# sudo = true                        # single commands through sudo -n; default: true unless user is root
`

func (l draftLB) text(b *draftText) {
	b.line("\n[[lb]]")
	b.key("name", tomlText(l.name), "")
	b.key("kind", tomlText(l.kind), "")
	b.key("address", tomlText(placeholder(l.name)), fillIn+" where SSH finds the balancer")
	if len(l.upstreams) == 1 {
		b.key("upstream", tomlText(l.upstreams[0]), l.why)
	} else {
		b.key("upstream", tomlTexts(l.upstreams), "")
	}
	why := ""
	switch {
	case l.kind == "nginx" && l.guessed:
		why = check + " where nginx starts to read"
	case l.guessed:
		why = check + " a stats socket with level admin"
	}
	if l.kind == "nginx" {
		b.key("config", tomlText(l.config), why)
		return
	}
	b.key("socket", tomlText(l.socket), why)
	b.line("# That of haproxy -S, where there is one: lets processes from before a HAProxy reload be asked.\n" + `# master_socket = "/run/haproxy-master.sock"`)
}

func (d *draft) hostsText(b *draftText) {
	if d.spare > 0 {
		name, address := "web1", placeholder("web1")
		if d.spare > 1 {
			name = fmt.Sprintf("web[1:%d]", d.spare)
			address = placeholder(name)
		}
		b.line("\n# A range counts out several hosts: web[1:3], 10.0.0.[11:13].\n[[host]]")
		b.key("name", tomlText(name), "")
		b.key("address", tomlText(address), fillIn+" where SSH finds the host, and the balancer the app")
		return
	}
	for _, s := range stretches(d.hosts) {
		s.text(b)
	}
}

func (s stretch) text(b *draftText) {
	b.line("\n[[host]]")
	b.key("name", tomlText(s.name), s.comment)
	why := ""
	if s.backends != nil {
		why = fillIn + " where SSH finds the host"
	}
	b.key("address", tomlText(s.address), why)
	if s.backends != nil {
		b.key("backend", tomlTexts(s.backends), "")
	}
	if s.ports != nil {
		b.key("port", tomlNumbers(s.ports), "")
	}
}

// tomlText quotes what is printable ASCII already; strconv escapes the rest alike.
func tomlText(s string) string { return strconv.QuoteToASCII(s) }

func tomlTexts(all []string) string {
	var quoted []string
	for _, s := range all {
		quoted = append(quoted, tomlText(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func tomlNumbers(all []int) string {
	var words []string
	for _, n := range all {
		words = append(words, strconv.Itoa(n))
	}
	if len(words) == 1 {
		return words[0]
	}
	return "[" + strings.Join(words, ", ") + "]"
}
