package site

import (
	"context"
	_ "embed"
	"path"
	"strconv"
	"strings"
)

//go:embed fence.sh
var fenceScript string

//go:embed turn.sh
var turnScript string

//go:embed flip.sh
var flipScript string

//go:embed prune.sh
var pruneScript string

// Fence returns once no run with a lower epoch can change anything in the app's
// directory any more, power cuts included. A *FencedError tells that a higher one
// has been here.
func (s *Site) Fence(ctx context.Context, epoch int64) error {
	site := s.WithEpoch(epoch)
	_, err := site.run(ctx, fenceScript, nil)
	return err
}

// Turn returns once no script of this epoch that was sent with a lower turn can change
// anything in the app's directory any more. Scripts are sent with the turn that the shell
// variable fd_turn has before they begin, 0 without.
func (s *Site) Turn(ctx context.Context, epoch, turn int64) error {
	_, err := s.WithEpoch(epoch).run(ctx, "fd_turn="+strconv.FormatInt(turn, 10)+"\n"+turnScript, nil)
	return err
}

// Flip returns once the app's directory points at release id, read back. An empty
// id leaves it pointing nowhere, an adopted one as it was found.
func (s *Site) Flip(ctx context.Context, id string) error {
	if id != "" {
		if err := checkID(id); err != nil {
			return err
		}
	}
	_, err := s.run(ctx, flipScript, vars{"id": id})
	return err
}

// Unmanaged is what Current says where current is none of our releases.
const Unmanaged = "?"

// Current is the release id that current points at, "" without one, Unmanaged
// where it is something else. Where all stands as an adopted release was found, it
// is that release.
func (s *Site) Current(ctx context.Context) (string, error) {
	out, err := s.run(ctx, keptLib+`cd -P -- "$path" 2>/dev/null || exit 0
kept; if [ -n "$kept" ]; then echo "releases/$kept"; exit; fi
if [ -L current ]; then readlink current; elif [ -e current ]; then echo '?'; fi`, nil)
	if err != nil {
		return "", err
	}
	return s.idOf(strings.TrimSuffix(string(out), "\n")), nil
}

// idOf is the release that a link's target names.
func (s *Site) idOf(target string) string {
	if target == "" {
		return ""
	}
	target = strings.TrimPrefix(path.Clean(target), s.cfg.Path+"/")
	id, ok := strings.CutPrefix(target, "releases/")
	if !ok || checkID(id) != nil {
		return Unmanaged
	}
	return id
}

// Prune removes complete releases beyond the newest ones kept, never one of
// protect or the current one.
func (s *Site) Prune(ctx context.Context, protect []string) error {
	for _, id := range protect {
		if err := checkID(id); id != "" && err != nil {
			return err
		}
	}
	_, err := s.thorough(ctx, pruneScript, vars{"protect": strings.Join(protect, " ")})
	return err
}
