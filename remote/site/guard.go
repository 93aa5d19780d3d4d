package site

// Guard wraps a script that changes something on the host and is not the site's
// own: it runs under this directory's lock, and not at all once a newer run has
// been here. The lock's descriptor is not handed on to what the script starts.
func (s *Site) Guard(script string) string {
	return s.script("enter\nlocked\n(\n"+script+"\n) 9>&-\n", nil)
}

// Explain tells a refusal of Guard from the script's own failures.
func (s *Site) Explain(err error) error { return s.explain(err) }
