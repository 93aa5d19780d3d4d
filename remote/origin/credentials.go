package origin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// credentials are those of the environment, else of the profile in ~/.aws/credentials.
func credentials(getenv func(string) string) (aws.Credentials, error) {
	c := aws.Credentials{AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: getenv("AWS_SESSION_TOKEN")}
	if c.HasKeys() {
		return c, nil
	}
	file := getenv("AWS_SHARED_CREDENTIALS_FILE")
	if home := getenv("HOME"); file == "" && home != "" {
		file = filepath.Join(home, ".aws", "credentials")
	}
	profile := first(getenv("AWS_PROFILE"), "default")
	text, err := os.ReadFile(file)
	if err != nil {
		return aws.Credentials{}, errors.New("there are no credentials, neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor ~/.aws/credentials")
	}
	if c = profileOf(string(text), profile); !c.HasKeys() {
		return aws.Credentials{}, fmt.Errorf("%s has no key in its profile %q", file, profile)
	}
	return c, nil
}

// profileOf reads [profile] of a credentials file. Lines that it does not know are other
// programs'.
func profileOf(text, profile string) (c aws.Credentials) {
	in := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = strings.TrimSpace(strings.Trim(line, "[]")) == profile
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if value = strings.TrimSpace(value); !in {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "aws_access_key_id":
			c.AccessKeyID = value
		case "aws_secret_access_key":
			c.SecretAccessKey = value
		case "aws_session_token":
			c.SessionToken = value
		}
	}
	return c
}
