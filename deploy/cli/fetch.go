package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"path/filepath"

	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/origin"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// fetch has the artifact here, for all that has to be known of it before a host is asked:
// from the cache, or from its origin once. Hosts fetch it by themselves then.
func fetch(ctx context.Context, app inventory.App, getenv func(string) string) (*site.Artifact, signatory, error) {
	from, err := origin.Parse(app.Artifact, getenv)
	if err != nil {
		return nil, nil, err
	}
	cache := &site.Cache{Dir: site.CacheDir()}
	f, sum, err := cache.Fetch(app.SHA256, func(to io.Writer) error { return from.Fetch(ctx, to) })
	if err != nil {
		return nil, nil, err
	}
	if err := rightSum(app, sum); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	art, err := site.OpenFetched(f, from, app.Entry)
	return art, func(ctx context.Context) ([]byte, error) {
		var b bytes.Buffer
		err := from.Beside(".sig").FetchSmall(ctx, &b, 64<<10)
		return b.Bytes(), err
	}, err
}

// artifactOf is what --artifact names: a path of this machine, or an address without
// anything secret, since others see flags.
func artifactOf(text string, app inventory.App) (string, error) {
	app.Artifact = text
	if !app.Fetched() {
		return filepath.Abs(text)
	}
	switch u, err := origin.Check(text); {
	case err != nil:
		return "", usage("--artifact: %s", err)
	case u.RawQuery != "" || u.User != nil:
		return "", usage("--artifact: what is secret in an address is seen in a flag: write app.artifact with ${env:NAME} in the inventory")
	case app.SHA256 == "":
		return "", usage("--artifact: what is fetched is known by its sha256 alone: set app.sha256, \"${env:NAME}\" for one")
	}
	return text, nil
}

// shown is the artifact's place, without what is secret in it.
func shown(app inventory.App) string {
	if !app.Fetched() {
		return app.Artifact
	}
	u, err := url.Parse(app.Artifact)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
