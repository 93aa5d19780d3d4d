package lb_test

import (
	"testing"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

func TestNginxPassesTheSuite(t *testing.T) {
	lbtest.Run(t, lbtest.NginxRig(func(*lbtest.Nginx, *lb.NginxConfig) {}))
}
