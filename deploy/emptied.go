package deploy

import (
	"slices"
	"strings"
)

// emptiedWords are the words of a host that no balancer sends requests any more, with why it
// is enough on those that have it in drain alone.
func (l *life) emptiedWords() string {
	var names, why []string
	for _, b := range l.lbs {
		e, ok := b.(interface{ Emptied(host string) string })
		if !ok {
			continue
		}
		if text := e.Emptied(l.host.Name()); text != "" {
			names, why = append(names, b.Name()+": "+text), append(why, text)
		}
	}
	if n := len(why); n > 0 && n == len(l.lbs) && len(slices.Compact(why)) == 1 { // everywhere the same
		names = why[:1]
	}
	return strings.Join(append([]string{"no request in flight"}, names...), "; ")
}
