//go:build !killpoints

package cli

import "github.com/flipdeploy/flipdeploy/deploy"

// What ships dies by other hands only; see mortal.go.

func mortalHost(h deploy.Host) deploy.Host             { return h }
func mortalBalancer(b deploy.Balancer) deploy.Balancer { return b }
