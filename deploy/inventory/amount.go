package inventory

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An Amount is a number of hosts, or a percentage of them.
type Amount struct {
	N       int
	Percent bool
}

var tooLarge = regexp.MustCompile(`^[0-9]{7,}$`)

// ParseAmount reads "3" and "25%", as files and flags have them.
func ParseAmount(s string) (Amount, error) {
	digits, percent := strings.CutSuffix(s, "%")
	n, err := strconv.ParseUint(digits, 10, 31)
	if tooLarge.MatchString(digits) {
		return Amount{}, fmt.Errorf("%s is more than any fleet has", quote(s))
	}
	if err != nil {
		return Amount{}, fmt.Errorf(`%s is not an amount: write 3 or "25%%"`, quote(s))
	}
	if percent && n > 100 {
		return Amount{}, fmt.Errorf("%d%% is more than all", n)
	}
	return Amount{N: int(n), Percent: percent}, nil
}

// Resolve is the amount of base hosts, parts of a host rounded up or down.
func (a Amount) Resolve(base int, up bool) int {
	if !a.Percent {
		return a.N
	}
	n := a.N * base
	if up {
		n += 99
	}
	return n / 100
}

// IsZero tells that nothing was asked for.
func (a Amount) IsZero() bool { return a.N == 0 }

// String is how ParseAmount reads it.
func (a Amount) String() string {
	if a.Percent {
		return strconv.Itoa(a.N) + "%"
	}
	return strconv.Itoa(a.N)
}
