package lb_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHAProxyPassesTheSuite(t *testing.T) {
	t.Run("through maint", func(t *testing.T) {
		lbtest.Run(t, lbtest.HAProxyRig("check", func(h *lbtest.HAProxy, c *lb.HAProxyConfig) { c.MasterSocket = h.Master }))
	})
	t.Run("drain alone, no master socket", func(t *testing.T) {
		lbtest.Run(t, lbtest.HAProxyRig("check", func(_ *lbtest.HAProxy, c *lb.HAProxyConfig) { c.GracefulReload = true }))
	})
}
