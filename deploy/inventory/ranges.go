package inventory

import (
	"fmt"
	"regexp"
	"strconv"
)

// maxRange bounds one range, maxHosts all of them: beyond it a typing error is
// likelier than a fleet.
const (
	maxRange = 4096
	maxHosts = 10000
)

var rangeRef = regexp.MustCompile(`\[(\d+):(\d+)\]`)

// spread counts out the range in s: web[08:10] is web08, web09, web10. Without
// one it is s alone. The padding is that of the first number; what is wrong
// comes back in words.
func spread(s string) (list []string, wrong string) {
	found := rangeRef.FindAllStringSubmatchIndex(s, -1)
	switch len(found) {
	case 0:
		return []string{s}, ""
	case 1:
	default:
		return nil, fmt.Sprintf("%s has more than one range", quote(s))
	}
	m := found[0]
	first, last := s[m[2]:m[3]], s[m[4]:m[5]]
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	switch {
	case err1 != nil || err2 != nil || to-from >= maxRange || len(first) > 9:
		return nil, fmt.Sprintf("%s is more than %d hosts", quote(s), maxRange)
	case to < from:
		return nil, fmt.Sprintf("%s counts down: write [%s:%s]", quote(s), last, first)
	case (padded(first) || padded(last)) && len(last) != len(first):
		return nil, fmt.Sprintf("%s: both ends of a padded range are equally long", quote(s))
	}
	for i := from; i <= to; i++ {
		list = append(list, s[:m[0]]+pad(i, first)+s[m[1]:])
	}
	return list, ""
}

// pad writes i as wide as first where first is padded.
func pad(i int, first string) string {
	if padded(first) {
		return fmt.Sprintf("%0*d", len(first), i)
	}
	return strconv.Itoa(i)
}

func padded(digits string) bool { return len(digits) > 1 && digits[0] == '0' }
