package lb

import "testing"

func TestNginxTellsByWhoseFlagAHostIsOut(t *testing.T) {
	up, ours := &serverLine{}, &serverLine{down: true, mark: confMark{rollout: "r1"}}
	other := &serverLine{down: true}
	for _, c := range []struct {
		lines []*serverLine
		want  Out
	}{
		{[]*serverLine{up}, ""},
		{[]*serverLine{ours, up}, ByUs},
		{[]*serverLine{ours, other}, ByOther},
		{[]*serverLine{other, ours}, ByOther},
	} {
		var got Out
		for _, l := range c.lines {
			got = l.by(got)
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.lines, got, c.want)
		}
	}
}
