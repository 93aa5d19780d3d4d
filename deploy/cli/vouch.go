package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/site"
	"github.com/flipdeploy/flipdeploy/remote/sshsig"
)

// signedFor is the namespace of signatures: one that was made for anything else is not
// taken.
const signedFor = "flipdeploy"

// openArtifact is the artifact of the inventory, once it is seen to be what app.sha256
// and app.allowed_signers ask for. Nothing of another one is sent anywhere.
func openArtifact(app inventory.App) (*site.Artifact, error) {
	art, err := site.OpenArtifact(app.Artifact, app.Entry)
	if err != nil {
		return nil, err
	}
	for _, vouch := range []func(inventory.App, *site.Artifact) error{rightSum, rightSignature} {
		if err := vouch(app, art); err != nil {
			return nil, errors.Join(err, art.Close())
		}
	}
	return art, nil
}

func rightSum(app inventory.App, art *site.Artifact) error {
	if app.SHA256 == "" || app.SHA256 == art.SHA256 {
		return nil
	}
	return &deploy.Fault{Code_: "FD-ARTIFACT-SHA256", Err: fmt.Errorf("artifact %s: its sha256 is %s, app.sha256 says %s", app.Artifact, art.SHA256, app.SHA256),
		Hint_: "find out which of the two is right; sha256sum " + app.Artifact}
}

// rightSignature reads the bytes once more and makes sure that they are those that were
// hashed before: what is sent is compared with that hash on every host.
func rightSignature(app inventory.App, art *site.Artifact) error {
	if app.AllowedSigners == "" {
		return nil
	}
	sum := sha256.New()
	err := signed(app, art, io.TeeReader(art.File(), sum))
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != art.SHA256 {
		err = errors.New("it was changed while it was read")
	}
	if err == nil {
		return nil
	}
	return &deploy.Fault{Code_: "FD-SIGNATURE", Err: fmt.Errorf("artifact %s: its signature is not good: %w", app.Artifact, err),
		Hint_: fmt.Sprintf("sign it: ssh-keygen -Y sign -n %s -f KEY %s; or see who may: %s", signedFor, app.Artifact, app.AllowedSigners)}
}

func signed(app inventory.App, art *site.Artifact, bytes io.Reader) error {
	if art.Kind == site.Tar {
		return errors.New("a directory cannot be signed: pack it as a .tar.gz")
	}
	allowed, err := os.ReadFile(app.AllowedSigners)
	if err != nil {
		return fmt.Errorf("app.allowed_signers: %w", err)
	}
	signature, err := os.ReadFile(app.Artifact + ".sig")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is none at %s.sig", app.Artifact)
	}
	if err != nil {
		return err
	}
	_, err = sshsig.Verify(bytes, signature, allowed, signedFor, time.Now())
	return err
}
