package site

import "testing"

// BenchmarkScript writes the longest script, with names that have to be quoted: each call
// to a host has one.
func BenchmarkScript(b *testing.B) {
	s := New(Config{Path: "/srv/it's a shop", Entry: "bin/the shop", Install: Replace, Binary: "bin/$shop", Keep: 5, Epoch: 12, User: "deploy"}, nil)
	v := vars{"id": "v1.2.3-0a1b2c3d", "hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size": "20000000", "kind": "file", "how": plain}
	b.SetBytes(int64(len(s.script(stageScript, v))))
	for b.Loop() {
		_ = s.script(stageScript, v)
	}
}
