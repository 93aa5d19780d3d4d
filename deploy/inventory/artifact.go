package inventory

import (
	"net/url"
	"path"
	"strings"
)

// Fetched tells whether the artifact is at an address, which may hold what is secret.
func (a App) Fetched() bool { return fetched(a.Artifact) }

func fetched(artifact string) bool {
	return strings.HasPrefix(artifact, "https://") || strings.HasPrefix(artifact, "s3://")
}

// FileName is the artifact's own name, "" without one.
func (a App) FileName() string {
	if a.Artifact == "" {
		return ""
	}
	if a.Fetched() {
		u, err := url.Parse(a.Artifact)
		if err != nil {
			return ""
		}
		return path.Base(u.Path)
	}
	return path.Base(a.Artifact)
}
