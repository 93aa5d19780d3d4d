package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const columns = "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n"

// answer is what HAProxy says of servers given as "op admin weight".
func answer(servers ...string) string {
	var b strings.Builder
	b.WriteString("1\n" + columns)
	for i, s := range servers {
		fmt.Fprintf(&b, "3 shop %d web%d 10.0.0.1%d %s\n", i+1, i+1, i+1, s)
	}
	return b.String() + "\n"
}

func TestAServerServesOnlyWhenInRotationOperationalAndWeighted(t *testing.T) {
	for fields, want := range map[string]state{
		"2 0 1": serving, "1 0 1": serving, "2 4 1": serving,
		"0 0 1": down, "3 0 1": down, "2 0 0": down,
		"2 8 1": out, "0 8 1": out, "0 1 1": out, "0 5 1": out, "2 2 1": out, "2 16 1": out, "0 32 1": out,
	} {
		got, err := parseStates(answer(fields))
		if err != nil || got["web1"] != want {
			t.Errorf("%s: got %v, %v, want %s", fields, got, err, want)
		}
	}
}

func TestAnythingElseIsNoSample(t *testing.T) {
	for text, want := range map[string]string{
		"":                        `unexpected answer ""`,
		"Can't find backend.\n\n": `unexpected answer "Can't find backend.\n\n"`,
		strings.TrimSuffix(answer("2 0 1"), "\n"): "unexpected answer ",
		answer("2 0"):   `no srv_uweight in "3 shop 1 web1 10.0.0.11 2 0"`,
		answer("2 x 1"): `strconv.Atoi: parsing "x": invalid syntax in "3 shop 1 web1 10.0.0.11 2 x 1"`,
	} {
		if _, err := parseStates(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// at gives a watch samples 50 ms apart, one string a sample: a letter a server,
// s serving, o out, d down; "!" is no answer.
func at(w *watchLog, samples ...string) report {
	now := time.Unix(1_700_000_000, 0)
	for _, sample := range samples {
		states := map[string]state{}
		for i, c := range sample {
			states[fmt.Sprintf("web%d", i+1)] = map[rune]state{'s': serving, 'o': out, 'd': down}[c]
		}
		if sample == "!" {
			w.add(now, nil, io.EOF)
		} else {
			w.add(now, states, nil)
		}
		now = now.Add(every)
	}
	return w.report()
}

func TestExtremesAndTimesOut(t *testing.T) {
	r := at(newWatch(false), "sss", "oss", "ods", "sds", "sss")
	if r.MinServing != 1 || r.MaxOut != 1 || r.MaxDown != 1 || r.Total != 3 || r.Samples != 5 {
		t.Errorf("got %+v", r)
	}
	want := map[string]serverReport{
		"web1": {Last: serving, Outs: 1, OutMS: 100, NotServingMS: 100, LongestMS: 100},
		"web2": {Last: serving, NotServingMS: 100, LongestMS: 100},
		"web3": {Last: serving},
	}
	if !maps.Equal(r.Servers, want) {
		t.Errorf("got %+v", r.Servers)
	}
	if text := r.String(); !strings.HasSuffix(text, "\nmin serving 1 of 3, max out 1, max down 1; 5 samples in 0.2 s, 0 unanswered, 0 gaps over 200 ms\n") {
		t.Errorf("got %s", text)
	}
}

func TestFromLeavesOutWhatWasBeforeAllServed(t *testing.T) {
	if r := at(newWatch(true), "dds", "dss", "sss", "oss"); r.MinServing != 2 || r.Samples != 2 || r.MaxDown != 0 {
		t.Errorf("got %+v", r)
	}
	if r := at(newWatch(false), "dds", "dss", "sss"); r.MinServing != 1 || r.Samples != 3 {
		t.Errorf("got %+v", r)
	}
}

func TestATimeWithoutSamplesIsAGap(t *testing.T) {
	r := at(newWatch(false), "ss", "!", "!", "!", "!", "ss", "!", "ss")
	if r.Gaps != 1 || r.LongestGap != 250 || r.Unanswered != 5 {
		t.Errorf("got %+v", r)
	}
}

// haproxy answers every connection as f says, and closes it.
func haproxy(t *testing.T, f func() string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if line, _ := bufio.NewReader(c).ReadString('\n'); line == "show servers state shop\n" {
				_, _ = io.WriteString(c, f())
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-ended })
	return ln.Addr().String()
}

func TestItAsksTheBalancerUntilItIsTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var n atomic.Int64
	address := haproxy(t, func() string {
		if n.Add(1) == 20 {
			cancel()
		}
		if n.Load() > 5 {
			return answer("2 8 1", "2 0 1")
		}
		return answer("2 0 1", "2 0 1")
	})
	var b strings.Builder
	if err := run(ctx, []string{"-address", address, "-json"}, &b, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal([]byte(b.String()), &r); err != nil {
		t.Fatal(err)
	}
	if r.Samples != 20 || r.MinServing != 1 || r.MaxOut != 1 || len(r.Changes) != 3 {
		t.Errorf("got %+v", r)
	}
}

func TestNoSampleAtAllIsAnError(t *testing.T) {
	address := haproxy(t, func() string { return "Can't find backend.\n\n" })
	err := run(context.Background(), []string{"-address", address, "-for", "200ms"}, io.Discard, io.Discard)
	if want := address + `: no sample: unexpected answer "Can't find backend.\n\n"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
