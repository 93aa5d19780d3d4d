package state

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"
)

// NewID names a rollout: short, and sorted as time is, `20261121-030712-7f3a`.
func NewID(now time.Time, random io.Reader) (string, error) {
	var b [2]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("rollout id: %w", err)
	}
	return now.UTC().Format("20060102-150405-") + hex.EncodeToString(b[:]), nil
}
