package site

import "context"

// Has tells whether release id is complete on the host: staged by us, or put there
// by somebody else as a program whose sha256 is the one in its id.
func (s *Site) Has(ctx context.Context, id string) (bool, error) {
	if err := checkID(id); err != nil {
		return false, err
	}
	out, err := s.thorough(ctx, `cd -P -- "$path" 2>/dev/null || exit 0
r=releases/$id
[ ! -L "$r" ] && runnable "$r/$entry" || exit 0
if [ -f "$r/.flipdeploy-release" ]; then echo yes; exit 0; fi
sum "$r/$entry" && case $sum in "${id##*-}"*) echo yes ;; esac
exit 0
`, vars{"id": id})
	return string(out) == "yes\n", err
}
