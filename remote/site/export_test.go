package site

import "testing"

// AtMostUnpacked has any archive unpack to a little more than size bytes at most.
func AtMostUnpacked(t *testing.T, size int64) {
	was := atLeast
	atLeast = size
	t.Cleanup(func() { atLeast = was })
}
