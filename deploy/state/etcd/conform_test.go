package etcd

import (
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy/state/statetest"
)

func TestEtcdConforms(t *testing.T) {
	members := three(t)
	statetest.Conformance(t, func(t *testing.T, app string) statetest.Place { return deployer(t, app, members) })
}

// The same with one member killed, and one that says nothing: the killed one comes back
// first, so that two of three are there at any time.
func TestEtcdConformsWithAMemberLess(t *testing.T) {
	members := three(t)
	for name, lose := range map[string]func(*member){
		"killed": func(m *member) { m.end() },
		"silent": func(m *member) { m.stop(t) },
	} {
		t.Run(name, func(t *testing.T) {
			lose(members[0])
			defer func() {
				if name == "silent" {
					members[0].cont(t)
				} else {
					ok(t, members[0].start())
				}
				await(t, members)
			}()
			await(t, members)
			statetest.Conformance(t, func(t *testing.T, app string) statetest.Place {
				s := New(app, Config{Endpoints: endpoints(members), Prefix: "/" + name, Try: 300 * time.Millisecond, Wait: 5 * time.Second})
				t.Cleanup(s.Close)
				return s
			})
		})
	}
}
