package cli

import (
	"context"
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
func openArtifact(ctx context.Context, app inventory.App, getenv func(string) string) (*site.Artifact, error) {
	art, sig, err := bring(ctx, app, getenv)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(rightSum(app, art.SHA256), rightSignature(ctx, app, art, sig)); err != nil {
		return nil, errors.Join(err, art.Close())
	}
	return art, nil
}

// A signatory gives the signature of the artifact.
type signatory func(context.Context) ([]byte, error)

// bring opens what is here, and fetches what is not.
func bring(ctx context.Context, app inventory.App, getenv func(string) string) (*site.Artifact, signatory, error) {
	if app.Fetched() {
		return fetch(ctx, app, getenv)
	}
	art, err := site.OpenArtifact(app.Artifact, app.Entry)
	return art, func(context.Context) ([]byte, error) { return signatureAt(app.Artifact) }, err
}

func rightSum(app inventory.App, sum string) error {
	if app.SHA256 == "" || app.SHA256 == sum {
		return nil
	}
	return &deploy.Fault{Code_: "FD-ARTIFACT-SHA256", Err: fmt.Errorf("artifact %s: its sha256 is %s, app.sha256 says %s", shown(app), sum, app.SHA256),
		Hint_: "find out which of the two is right" + byHand(app, ": fetch it by hand, then", ";") + " sha256sum " + byHand(app, shellWord(app.FileName()), app.Artifact)}
}

// byHand is what a hint says of an artifact that is elsewhere, or here.
func byHand(app inventory.App, elsewhere, here string) string {
	if app.Fetched() {
		return elsewhere
	}
	return here
}

// rightSignature reads the bytes once more and makes sure that they are those that were
// hashed before: what is sent is compared with that hash on every host.
func rightSignature(ctx context.Context, app inventory.App, art *site.Artifact, sig signatory) error {
	if app.AllowedSigners == "" {
		return nil
	}
	sum := sha256.New()
	err := signed(ctx, app, art, sig, io.TeeReader(art.File(), sum))
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != art.SHA256 {
		err = errors.New("it was changed while it was read")
	}
	if err == nil {
		return nil
	}
	return &deploy.Fault{Code_: "FD-SIGNATURE", Err: fmt.Errorf("artifact %s: its signature is not good: %w", shown(app), err),
		Hint_: fmt.Sprintf("sign it%s: ssh-keygen -Y sign -n %s -f KEY %s; or see who may: %s", byHand(app, ", and put "+app.FileName()+".sig beside it", ""),
			signedFor, byHand(app, shellWord(app.FileName()), app.Artifact), app.AllowedSigners)}
}

func signed(ctx context.Context, app inventory.App, art *site.Artifact, sig signatory, bytes io.Reader) error {
	if art.Kind == site.Tar {
		return errors.New("a directory cannot be signed: pack it as a .tar.gz")
	}
	allowed, err := os.ReadFile(app.AllowedSigners)
	if err != nil {
		return fmt.Errorf("app.allowed_signers: %w", err)
	}
	signature, err := sig(ctx)
	if err != nil {
		return err
	}
	_, err = sshsig.Verify(bytes, signature, allowed, signedFor, time.Now())
	return err
}

func signatureAt(artifact string) ([]byte, error) {
	text, err := os.ReadFile(artifact + ".sig")
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is none at %s.sig", artifact)
	}
	return text, err
}
