package proc

// Adopt has programs with this sign count as release id from now on: what was found
// running is about to be kept as that release. The host remembers it for later runs.
func (a *App) Adopt(sign, id string) {
	if a.adopts == nil {
		a.adopts = map[string]string{}
	}
	a.adopts[sign] = id
	a.kept, a.seen = nil, nil
}
