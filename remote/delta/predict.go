package delta

// A predictor makes old bytes like the new ones: it has what they refer with go to where
// that went. Both sides do it, each with the same pieces, so both predict the same.
type predictor struct {
	old   program
	new   layout
	guide *guide
	refs  []reference
}

// run predicts part, which is of the old file from an offset on, and comes to another in
// the new file. Each stretch of it that is predicted it hands to settle, in order, which
// must make it what it is in the new file: the next stretch depends on it.
func (p *predictor) run(part []byte, from, to int64, settle func([]byte) error) error {
	p.refs = p.old.in(p.refs[:0], part, from)
	done := 0
	for _, r := range p.refs {
		here := part[r.at:][:r.kind.size()]
		end := int(r.at) + len(here)
		target := p.old.offset(p.old.target(r.kind, here, from+int64(r.at)))
		expected := p.guide.where(target)
		p.new.aim(r.kind, here, to+int64(r.at), p.new.loaded(expected))
		if err := settle(part[done:end]); err != nil {
			return err
		}
		done = end
		if is := p.new.offset(p.new.target(r.kind, here, to+int64(r.at))); is != expected {
			p.guide.learn(target, is)
		}
	}
	return settle(part[done:])
}
