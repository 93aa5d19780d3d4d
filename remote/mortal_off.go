//go:build !killpoints

package remote

import "context"

// about is a script on its way; see mortal.go.
func about(ctx context.Context, _, _ string, send func(context.Context) ([]byte, error)) ([]byte, error) {
	return send(ctx)
}

func passed(string, string) string { return "" }
