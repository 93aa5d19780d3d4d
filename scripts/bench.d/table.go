package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A book is what was measured.
type book struct {
	runs          map[string][]run
	idle          float64
	before, after string
	told          []string
}

func (b *book) add(w way, r run) {
	if b.runs == nil {
		b.runs = map[string][]run{}
	}
	b.runs[w.key] = append(b.runs[w.key], r)
}

// print writes the figures.
func (b *book) print(out io.Writer, ways []way) {
	free, sticky := apart(ways)
	fmt.Fprintf(out, "Eight hosts, two at a time, a Go program of 20 MB, bake 0, HAProxy; rounds: %d, medians (lowest to highest); ratios are of the same round.\n", len(b.runs[ways[0].key]))
	fmt.Fprintf(out, "flipdeploy connects anew, asks for health three times in a row, but once where its row says rise 1, and settles as long as its row says; Ansible finds its connections open, asks once and does not settle, but in the row of as many checks as the default, which asks three times and settles 2 s.\n")
	fmt.Fprintf(out, "At least: the takeovers, as the app's own log has them, and what each row asks to wait for; moving the program, connecting and all processes are left out.\n")
	fmt.Fprintf(out, "Hosts, client and balancer share one machine: loopback. Its load was %s before and %s after; idle, the hosts use %.2f CPU seconds a second.\n\n", b.before, b.after, b.idle)
	b.table(out, free)
	fmt.Fprintf(out, "\nWhere HAProxy sends clients by a cookie to the host they know, so that hosts go to maint, too. It is set up so, no more: the clients of the standard load keep no cookies:\n\n")
	b.table(out, sticky)
	b.printSpans(out, ways[:2])
	fmt.Fprintf(out, "\nOnce each under the standard load:\n\n")
	for _, t := range b.told {
		fmt.Fprintf(out, "- %s\n", t)
	}
}

// apart are the ways where HAProxy is free to send clients anywhere, and the others.
func apart(ways []way) (free, sticky []way) {
	for _, w := range ways {
		if w.sticky {
			sticky = append(sticky, w)
		} else {
			free = append(free, w)
		}
	}
	return free, sticky
}

// table has a row a way. The peer is the fastest way that is not flipdeploy.
func (b *book) table(out io.Writer, ways []way) {
	peer, last := b.peer(ways), ways[len(ways)-1]
	others := []way{peer, last}
	if peer.key == last.key {
		others = others[:1]
	}
	fmt.Fprint(out, "| way | seconds |")
	for _, o := range others {
		fmt.Fprintf(out, " × %s |", o.name)
	}
	fmt.Fprintf(out, " at least, s | × of it | CPU here, s | CPU of the hosts, s |\n|%s\n", strings.Repeat("---|", 6+len(others)))
	for _, w := range ways {
		runs := b.runs[w.key]
		fmt.Fprintf(out, "| %s | %s |", w.name, figures(runs, func(i int) float64 { return runs[i].took.Seconds() }))
		for _, o := range others {
			fmt.Fprintf(out, " %s |", figures(runs, func(i int) float64 { return runs[i].beside(b.runs[o.key][i]) }))
		}
		fmt.Fprintf(out, " %s | %s | %s | %s |\n",
			figures(runs, func(i int) float64 { return runs[i].least.Seconds() }),
			figures(runs, func(i int) float64 { return runs[i].took.Seconds() / runs[i].least.Seconds() }),
			figures(runs, func(i int) float64 { return runs[i].here.Seconds() }),
			figures(runs, func(i int) float64 { return runs[i].there.Seconds() }))
	}
}

func (b *book) peer(ways []way) (peer way) {
	median := func(w way) float64 {
		return middle(each(b.runs[w.key], func(i int) float64 { return b.runs[w.key][i].took.Seconds() }))
	}
	for _, w := range ways {
		if b.runs[w.key][0].events == nil && (peer.key == "" || median(w) < median(peer)) {
			peer = w
		}
	}
	return peer
}

// printSpans tells where flipdeploy's time went.
func (b *book) printSpans(out io.Writer, ways []way) {
	fmt.Fprintf(out, "\nWhere flipdeploy's time goes, ms:\n\n| |")
	for _, w := range ways {
		fmt.Fprintf(out, " %s |", strings.TrimPrefix(w.name, "flipdeploy, "))
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(ways)))
	for _, s := range spans {
		name := s.name
		if s.host {
			name = "a host: " + name
		}
		b.printSpan(out, name, ways, s.of)
	}
	b.printSpan(out, "between two hosts (claim, journal)", ways, turns)
}

func (b *book) printSpan(out io.Writer, name string, ways []way, of func([]event) []time.Duration) {
	fmt.Fprintf(out, "| %s |", name)
	for _, w := range ways {
		var all []float64
		for _, r := range b.runs[w.key] {
			for _, d := range of(r.events) {
				all = append(all, float64(d.Milliseconds()))
			}
		}
		fmt.Fprintf(out, " %s |", spread(all, "%.0f"))
	}
	fmt.Fprintln(out)
}

func figures(runs []run, value func(i int) float64) string {
	return spread(each(runs, value), "%.2f")
}

func each(runs []run, value func(i int) float64) []float64 {
	var list []float64
	for i := range runs {
		list = append(list, value(i))
	}
	return list
}

func spread(list []float64, format string) string {
	if len(list) == 0 {
		return "–"
	}
	return fmt.Sprintf(format+" ("+format+"–"+format+")", middle(list), slices.Min(list), slices.Max(list))
}

// middle is the median, 0 of nothing.
func middle(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(list))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
