package remote_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"SSH_AUTH_SOCK", "FLIPDEPLOY_SSH_KEY", "FLIPDEPLOY_SSH_PASSPHRASE"} {
		_ = os.Unsetenv(name)
	}
	goleak.VerifyTestMain(m)
}
