package inventory

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads what Go writes, and says it in our words when it cannot.
func parseDuration(s string) (time.Duration, string) {
	d, err := time.ParseDuration(s)
	switch {
	case err == nil:
		return d, ""
	case unitless.MatchString(s):
		return 0, fmt.Sprintf("%s has no unit: write %q", quote(s), s+"s")
	case goDuration.MatchString(s):
		return 0, fmt.Sprintf("%s is longer than %s", quote(s), brief(maxDuration))
	case inDays.MatchString(s):
		n, _ := strconv.Atoi(inDays.FindStringSubmatch(s)[1])
		return 0, fmt.Sprintf(`%s is in days: write "%dh"`, quote(s), 24*n)
	}
	return 0, fmt.Sprintf(`%s is not a duration: write it like "1m30s" or "500ms"; units are ms, s, m, h`, quote(s))
}

var (
	unitless   = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?$`)
	goDuration = regexp.MustCompile(`^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`)
	inDays     = regexp.MustCompile(`^([0-9]{1,4})d$`)
)

// brief is d as a person writes it: 5m, not 5m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// items are the values of a key that may be one or several.
func (s section) items(key string) []*node {
	n := s.get(key)
	switch {
	case n == nil:
		return nil
	case n.arr:
		return n.list
	default:
		return []*node{n}
	}
}

// strs reads one string or several; what no rule likes is left out.
func (s section) strs(key string, rules ...rule) []string {
	var list []string
	for _, n := range s.items(key) {
		if t := s.item(n, list, rules); t != "" {
			s.add(n.at, n.key, t, "")
			continue
		}
		list = append(list, n.val.(string))
	}
	return list
}

func (s section) item(n *node, before []string, rules []rule) string {
	v := n.val.(string)
	for _, wrong := range append([]rule{notEmpty}, rules...) {
		if t := wrong(v); t != "" {
			return t
		}
	}
	if slices.Contains(before, v) {
		return "stands here twice"
	}
	return ""
}

func notEmpty(s string) string {
	if s == "" {
		return "is empty"
	}
	return ""
}

// argv reads a command: the program's path or name, then its arguments.
func (s section) argv(key string) []string {
	n := s.get(key)
	if n == nil {
		return nil
	}
	if len(n.list) == 0 || n.list[0].val == "" {
		s.fault(key, `is empty: write ["program", "argument"]`, "")
		return nil
	}
	var list []string
	for _, i := range n.list {
		list = append(list, i.val.(string))
	}
	if strings.HasPrefix(list[0], "-") {
		s.fault(key, fmt.Sprintf("%s is an option, not a program", quote(list[0])), "")
	}
	return list
}

// ports reads one port or several.
func (s section) ports(key string, def []int) []int {
	var list []int
	for _, n := range s.items(key) {
		v := n.val.(int64)
		switch wrong := portRange(v); {
		case wrong != "":
			s.add(n.at, n.key, wrong, "")
		case slices.Contains(list, int(v)):
			s.add(n.at, n.key, fmt.Sprintf("%d stands here twice", v), "")
		default:
			list = append(list, int(v))
		}
	}
	if len(s.items(key)) == 0 {
		return def
	}
	return list
}

// port reads one port.
func (s section) port(key string, def int) int {
	list := s.ports(key, []int{def})
	if len(list) == 0 {
		return def
	}
	return list[0]
}

// statuses reads every answer that counts as good.
func (s section) statuses(key string, def []int) []int {
	var list []int
	for _, n := range s.items(key) {
		from, to, wrong := statusClass(n.val)
		if wrong != "" {
			s.add(n.at, n.key, wrong, "")
		}
		for i := from; i < to && wrong == ""; i++ {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return def
	}
	return list
}

// statusClass is the half-open span of answers that v names.
func statusClass(v any) (from, to int, wrong string) {
	switch v := v.(type) {
	case int64:
		if v < http.StatusContinue || v > 599 {
			return 0, 0, fmt.Sprintf("%d is not a status (100–599)", v)
		}
		return int(v), int(v) + 1, ""
	case string:
		if len(v) == 3 && v[1:] == "xx" && v[0] >= '1' && v[0] <= '5' {
			from = int(v[0]-'0') * 100
			return from, from + 100, ""
		}
	}
	return 0, 0, fmt.Sprintf(`%s is not a class of statuses: write "2xx", or 200 without quotes`, quote(fmt.Sprint(v)))
}
