package inventory

import "strings"

// Nearest is the known word that a wrong one may stand for, "" when none is near.
func Nearest(word string, known []string) string { return meant(word, known) }

// meant says which known word a wrong one stands for: the same in another case,
// or one that few slips turn into it. Empty when none is near.
func meant(word string, known []string) string {
	best, least := "", len([]rune(word))/3+2
	for _, k := range known {
		if strings.EqualFold(word, k) {
			return k
		}
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to add, drop, change or swap with a neighbour
// that turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 {
		return len(x)
	}
	d := make([][]int, len(x)+1)
	for i := range d {
		d[i] = make([]int, len(y)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			d[i][j] = step(d, x, y, i, j)
		}
	}
	return d[len(x)][len(y)]
}

func step(d [][]int, x, y []rune, i, j int) int {
	least := min(d[i-1][j], d[i][j-1]) + 1
	same := x[i-1] == y[j-1]
	least = min(least, d[i-1][j-1]+btoi(!same))
	if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
		least = min(least, d[i-2][j-2]+1)
	}
	return least
}
