package lb

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// BenchmarkParse reads what a real HAProxy said of a pool, with 1,000 servers in it: that
// is done anew at each poll.
func BenchmarkParse(b *testing.B) {
	all := captured(b)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	text := crowded(all[names[0]], 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s, err := parseBatch(text)
		if err != nil || len(s.servers) < 1000 {
			b.Fatal(err)
		}
	}
}

// crowded has the rows of shop/web2 n times, each under a name of its own.
func crowded(text string, n int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(line)
		if !strings.HasPrefix(line, "3 shop 2 web2 ") && !strings.HasPrefix(line, "shop,web2,") {
			continue
		}
		for i := range n {
			out.WriteString(strings.Replace(line, "web2", fmt.Sprint("more", i), 1))
		}
	}
	return out.String()
}
