package cli

import (
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/site"
)

func TestThePlanSaysTheMostThatWillBeSent(t *testing.T) {
	hosts := []foretoldHost{{Bytes: 20e6}, {Bytes: 20e6}, {}}
	for _, c := range []struct {
		art  site.Artifact
		want string
	}{
		{site.Artifact{Kind: site.File, Size: 20e6}, "at most 40.0 MB: 20.0 MB to 2 hosts"},
		{site.Artifact{Kind: site.Tar, Size: 20e6}, "at most 40.0 MB: 20.0 MB to 2 hosts"},
		{site.Artifact{Kind: site.TarGz, Size: 20e6}, "40.0 MB: 20.0 MB to 2 hosts"},
		{site.Artifact{Kind: site.File, Size: 1000}, "40.0 MB: 1.0 kB to 2 hosts"},
	} {
		f := foretold{BytesSend: 40e6, BytesArtifact: c.art.Size, BytesAtMost: c.art.MayShrink(), Hosts: hosts}
		if got := f.bytesWords(); got != c.want {
			t.Errorf("%s of %d: %s, want %s", c.art.Kind, c.art.Size, got, c.want)
		}
	}
}
