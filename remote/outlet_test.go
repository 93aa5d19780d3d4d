package remote

import "testing"

// A session is read from the moment it is open, and its first script comes later.
func TestWhatComesBeforeAScriptIsNobodys(t *testing.T) {
	var o outlet
	if n, err := o.Write([]byte("hello")); n != 5 || err != nil {
		t.Error(n, err)
	}
}
