package cli

import (
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"

	"github.com/flipdeploy/flipdeploy/remote/delta"
	"github.com/flipdeploy/flipdeploy/remote/site"
	ucli "github.com/urfave/cli/v2"
)

// load makes the artifact ready for so many hosts.
func (s *session) load(art *site.Artifact, hosts int) *site.Cargo {
	own, err := os.Executable()
	if err != nil {
		own = "" // no deltas, which the hosts' lines say
	}
	c := site.NewCargo(art, site.CargoOptions{Hosts: hosts, Cache: &site.Cache{Dir: site.CacheDir()}, Helper: own, Limit: s.limit})
	for _, h := range s.hosts {
		h.cargo = c
	}
	return c
}

// applies does what flipdeploy's own program is for on a host: not for people, and so
// no command.
func applies(env Env) (code int, asked bool) {
	if len(env.Args) != 7 || env.Args[1] != delta.Verb {
		return 0, false
	}
	size, err := strconv.ParseInt(env.Args[5], 10, 64)
	if err == nil {
		// It lives for a moment and leaves little behind: to collect that would cost the host
		// more than it frees.
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(64<<20 + size)
		err = delta.ApplyFile(env.Stdout, env.Args[2], env.Args[3], env.Args[4], size, env.Args[6])
	}
	if err != nil {
		_, _ = fmt.Fprintln(env.Stderr, err)
		return 1, true
	}
	return 0, true
}

func limitFlag() ucli.Flag {
	return &ucli.StringFlag{Name: "limit-rate", Usage: "bytes a second to send, or to be fetched, at most, by all hosts together, `RATE` like 10M", EnvVars: twin("limit-rate")}
}

var rate = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)([kKMG]?)$`)

// limitOf is what --limit-rate asks for: bytes a second, in thousands, as the bar shows
// them. Nil bounds nothing.
func limitOf(text string) (*site.Limit, error) {
	if text == "" {
		return nil, nil
	}
	m := rate.FindStringSubmatch(text)
	if m == nil {
		return nil, usage("--limit-rate: %q is not a rate like 800k, 10M or 1.5G", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	n *= map[string]float64{"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}[m[2]]
	if err != nil || n < 1e3 || n > 1e15 {
		return nil, usage("--limit-rate: at least 1k, not %s", text)
	}
	return site.NewLimit(int64(n)), nil
}
