package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

type dated struct {
	off time.Duration
	err error
}

func (d dated) Run(context.Context, string) ([]byte, error) {
	return fmt.Appendln(nil, time.Now().Add(d.off).Unix()), d.err
}

func TestDoctorTellsOfAClockThatIsOff(t *testing.T) {
	const cure = ": lines of its logs do not fit those of others; mend that with: sudo timedatectl set-ntp true"
	for off, said := range map[time.Duration]bool{0: false, 3 * time.Second: false, time.Hour: true, -time.Hour: true} {
		if got := clock(t.Context(), dated{off: off}); (got != "") != said {
			t.Errorf("%s off: says %q", off, got)
		}
	}
	if got := clock(t.Context(), dated{off: time.Hour, err: errors.New("lost")}); got != "" {
		t.Errorf("says %q of a machine that does not answer", got)
	}
	began := time.Unix(1000, 0)
	for there, want := range map[int64]string{1000: "", 1006: "", 994: "", 993: "its clock is 7s behind" + cure, 1008: "its clock is 7s ahead" + cure} {
		if got := skewed(time.Unix(there, 0), began, began.Add(time.Second)); got != want {
			t.Errorf("%d: says %q, want %q", there, got, want)
		}
	}
}
