package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// mostSkew is how far a clock may be off before somebody should know: lines of its logs
// are read beside those of other machines.
const mostSkew = 5 * time.Second

// clock says when a machine's clock is not like the deployer's, "" when it is, or is not
// to be read. No decision rests on it: times of a run are the deployer's own.
func clock(ctx context.Context, m runner) string {
	asked := time.Now()
	out, err := m.Run(ctx, "date +%s\n")
	there, wrong := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil || wrong != nil {
		return ""
	}
	return skewed(time.Unix(there, 0), asked, time.Now())
}

// skewed compares a time that was read between two others.
func skewed(there, from, until time.Time) string {
	const cure = ": lines of its logs do not fit those of others; mend that with: sudo timedatectl set-ntp true"
	switch {
	case there.Add(time.Second).Before(from.Add(-mostSkew)):
		return fmt.Sprintf("its clock is %s behind", from.Sub(there).Round(time.Second)) + cure
	case there.After(until.Add(mostSkew)):
		return fmt.Sprintf("its clock is %s ahead", there.Sub(until).Round(time.Second)) + cure
	}
	return ""
}
