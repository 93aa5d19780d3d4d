package site

// WithEntry is the same site with another name for the program inside releases.
func (s *Site) WithEntry(name string) *Site {
	c := s.cfg
	c.Entry = name
	return &Site{c, s.m}
}
