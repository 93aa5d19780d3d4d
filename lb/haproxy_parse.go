package lb

import (
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A snapshot is what HAProxy said in one connection, and its old workers with it.
type snapshot struct {
	version  string
	gen      generation
	stopping bool
	servers  []*server
	pools    []pool
	old      []oldWorker
	lost     bool // an old worker went away while it was asked
	blind    bool // whether there are old workers could not be seen
	socks    int  // connections of old workers to the host
	unowned  int  // connections to the host, their owner not to be seen, while old workers live
}

// A pool is the row of a HAProxy backend.
type pool struct{ name, cookie string }

// A server is one row of `show servers state` joined with its row of `show stat`.
type server struct {
	pool, name   string
	addr         hostPort
	fqdn         string
	op, admin    int
	uweight      int
	checkState   int
	agentState   int
	health       int
	stat         bool // its row of show stat was there
	status       string
	tracked      string
	backup       bool
	rise, fall   int
	checkStatus  string
	checkCode    string
	lastCheck    string
	scur, qcur   int
	stot         int64
	cookie, mode string
	counts       Counters
	host         string // whose it is; "" for none of ours
	listed       bool   // its pool is one of ours
}

func (v *server) key() string { return v.pool + "/" + v.name }

// An oldWorker is a process from before a reload that still serves.
type oldWorker struct {
	pid  int
	rows []statRow
}

// parseFrames reads what a script of ours printed; without its end mark it was cut.
func parseFrames(out string) (*snapshot, error) {
	head, _, ended := strings.Cut(out, "\n== end\n")
	if !ended {
		return nil, errors.New("cut short")
	}
	_, head, found := strings.Cut("\n"+head, "\n== haproxy\n")
	if !found {
		return nil, errors.New("no state in it")
	}
	frames := strings.Split("\n"+head, "\n== ")
	s, err := parseBatch(strings.Trim(frames[0], "\n") + "\n\n")
	for _, f := range frames[1:] {
		if err == nil {
			err = s.frame(f)
		}
	}
	return s, err
}

func (s *snapshot) frame(f string) error {
	head, body, _ := strings.Cut(f, "\n")
	words := strings.Fields(head)
	if len(words) == 0 {
		return errors.New("an empty frame")
	}
	var err error
	switch words[0] {
	case "old":
		w := oldWorker{}
		if _, err = fmt.Sscanf(head, "old %d", &w.pid); err == nil {
			w.rows, err = parseStat(strings.TrimRight(body, "\n"))
		}
		s.old = append(s.old, w)
	case "lost":
		s.lost = true
	case "blind":
		s.blind = true
	case "socks":
		_, err = fmt.Sscanf(head, "socks %d %d", &s.socks, &s.unowned)
	default:
		err = fmt.Errorf("frame %q is none", words[0])
	}
	return err
}

// parseBatch reads the reply to `show info;show servers state;show stat`. A whole
// reply ends with an empty line.
func parseBatch(text string) (*snapshot, error) {
	body, complete := strings.CutSuffix(text, "\n\n")
	parts := strings.Split(body, "\n\n")
	if !complete || len(parts) != 3 {
		return nil, errors.New("cut short")
	}
	s := &snapshot{}
	if err := s.info(parts[0]); err != nil {
		return nil, err
	}
	if err := s.state(parts[1]); err != nil {
		return nil, err
	}
	stat, err := parseStat(parts[2])
	if err != nil {
		return nil, err
	}
	return s, s.join(stat)
}

func (s *snapshot) info(text string) error {
	var err error
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Version":
			s.version = value
		case "Pid":
			s.gen.pid, err = strconv.Atoi(value)
		case "Start_time_sec":
			s.gen.start, err = strconv.ParseInt(value, 10, 64)
		case "Stopping":
			s.stopping = value != "0"
		}
		if err != nil {
			return fmt.Errorf("show info: %s %q is no number", key, value)
		}
	}
	if s.gen.pid == 0 || s.gen.start == 0 {
		return errors.New("show info: no Pid or Start_time_sec")
	}
	return nil
}

// state reads `show servers state`; columns are found by name.
func (s *snapshot) state(text string) error {
	lines := strings.Split(text, "\n")
	if len(lines) < 2 || lines[0] != "1" || !strings.HasPrefix(lines[1], "# ") {
		return errors.New("show servers state: format is not version 1")
	}
	columns := columnsOf(strings.Fields(lines[1][2:]))
	for _, line := range lines[2:] {
		v, err := stateRow(columns, strings.Fields(line))
		if err != nil {
			return fmt.Errorf("show servers state: %w", err)
		}
		s.servers = append(s.servers, v)
	}
	return nil
}

func stateRow(columns map[string]int, values []string) (*server, error) {
	if len(columns) != len(values) {
		return nil, fmt.Errorf("%d columns, not %d", len(values), len(columns))
	}
	r := row{columns: columns, cells: values}
	v := &server{
		pool: r.text("be_name"), name: r.text("srv_name"), fqdn: r.text("srv_fqdn"),
		addr: hostPort{r.text("srv_addr"), r.number("srv_port")},
		op:   r.number("srv_op_state"), admin: r.number("srv_admin_state"), uweight: r.number("srv_uweight"),
		health: r.number("srv_check_health"), checkState: r.number("srv_check_state"), agentState: r.number("srv_agent_state"),
	}
	return v, r.err
}

// join adds what only show stat knows.
func (s *snapshot) join(stat []statRow) error {
	byKey := map[string]*server{}
	for _, v := range s.servers {
		if byKey[v.key()] != nil {
			return fmt.Errorf("show servers state: %s twice", v.key())
		}
		byKey[v.key()] = v
	}
	for _, r := range stat {
		switch v := byKey[r.key()]; {
		case r.kind == "1":
			s.pools = append(s.pools, pool{r.pool, r.cookie})
		case r.kind == "2" && v != nil:
			r.into(v)
		}
	}
	for _, v := range s.servers {
		if !v.stat {
			return fmt.Errorf("show stat: no row for %s", v.key())
		}
	}
	return nil
}

// parseCSV reads a table with its header; HAProxy quotes some cells.
func parseCSV(text string) ([][]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.LazyQuotes = true
	return r.ReadAll()
}
