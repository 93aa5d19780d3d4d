package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// A state is what HAProxy makes of one server.
type state string

const (
	serving state = "serving" // in rotation and operational
	out     state = "out"     // taken out of rotation
	down    state = "down"    // in rotation, but not operational, or without weight
)

// Bits of srv_admin_state that take a server out: forced and inherited maint,
// forced and inherited drain, maint for want of an address. 4 (disabled in the
// configuration) stays set after the server is back and says nothing by itself.
const outBits = 1 | 2 | 8 | 16 | 32

const askTimeout = time.Second

// ask returns the state of every server of a backend. Each call is a connection
// of its own: an open one would go on asking the old process after a HAProxy reload.
func ask(ctx context.Context, address, backend string) (map[string]state, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := fmt.Fprintf(c, "show servers state %s\n", backend); err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return nil, err
	}
	return parseStates(string(answer))
}

// parseStates reads `show servers state`: a format number, a line of column names
// after "# ", one line a server, an empty line.
func parseStates(answer string) (map[string]state, error) {
	lines := strings.Split(strings.TrimRight(answer, "\n"), "\n")
	if !strings.HasSuffix(answer, "\n\n") || len(lines) < 3 || lines[0] != "1" {
		return nil, fmt.Errorf("unexpected answer %.80q", answer)
	}
	columns := map[string]int{}
	for i, name := range strings.Fields(strings.TrimPrefix(lines[1], "# ")) {
		columns[name] = i
	}
	states := map[string]state{}
	for _, line := range lines[2:] {
		name, s, err := parseServer(columns, strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("%w in %.80q", err, line)
		}
		states[name] = s
	}
	return states, nil
}

func parseServer(columns map[string]int, fields []string) (name string, s state, err error) {
	var numbers [3]int
	for i, column := range []string{"srv_op_state", "srv_admin_state", "srv_uweight"} {
		at, ok := columns[column]
		if !ok || at >= len(fields) {
			return "", "", errors.New("no " + column)
		}
		if numbers[i], err = strconv.Atoi(fields[at]); err != nil {
			return "", "", err
		}
	}
	at, ok := columns["srv_name"]
	if !ok {
		return "", "", errors.New("no srv_name")
	}
	return fields[at], judge(numbers[0], numbers[1], numbers[2]), nil
}

func judge(op, admin, weight int) state {
	switch {
	case admin&outBits != 0:
		return out
	case (op == 1 || op == 2) && weight > 0:
		return serving
	}
	return down
}
