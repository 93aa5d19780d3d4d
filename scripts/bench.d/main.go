// Command bench.d times a whole rollout by flipdeploy and by Ansible, taking turns
// on one fleet that stands at the same start before each, and prints a table.
// scripts/bench starts it in the network of a fleet that has all it needs.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	var f fleet
	flag.StringVar(&f.dir, "dir", "", "the fleet's `directory`")
	flag.StringVar(&f.tool, "fleet", "", "scripts/fleet")
	flag.StringVar(&f.name, "name", "", "the fleet's `name`")
	flag.IntVar(&f.hosts, "hosts", 8, "web hosts")
	rounds := flag.Int("rounds", 5, "timed runs of each way")
	flag.Parse()
	if err := bench(&f, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(f *fleet, rounds int) error {
	if err := f.open(); err != nil {
		return err
	}
	defer f.close()
	if err := f.begin(false); err != nil {
		return err
	}
	ways := f.ways()
	b := book{idle: f.idle(), before: loadavg()}
	for r := 1; r <= rounds; r++ {
		for _, w := range ways { // A B C D A B C D: what drifts, drifts for all
			run, err := f.time(w, r)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", w.name, r, err)
			}
			b.add(w, run)
			say("round %d: %s: %.2f s, CPU here %.2f s, hosts %.2f s, load %s", r, w.name,
				run.took.Seconds(), run.here.Seconds(), run.there.Seconds(), loadavg())
		}
	}
	b.after = loadavg()
	for _, w := range ways {
		if !w.loaded {
			continue
		}
		told, err := f.underLoad(w)
		if err != nil {
			return fmt.Errorf("%s under load: %w", w.name, err)
		}
		b.told = append(b.told, w.name+": "+told)
	}
	b.print(os.Stdout, ways)
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

// loadavg is what the machine was busy with, others' work included.
func loadavg() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}
