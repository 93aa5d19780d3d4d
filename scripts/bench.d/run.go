package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A way is one tool, set up in one manner, that does the job.
type way struct {
	key, name string
	command   func(program, version string) *exec.Cmd
	prepare   func() error
	waits     time.Duration // that its row asks for at each host
	loaded    bool          // once under load, too
	sticky    bool          // HAProxy sends clients back to the host they know, by a cookie
}

func (f *fleet) ways() []way {
	return []way{
		{key: "default", name: "flipdeploy, settle 2 s (default)", command: f.flipdeploy("default.toml"), waits: 2 * time.Second, loaded: true},
		{key: "quick", name: "flipdeploy, settle 200 ms", command: f.flipdeploy("quick.toml"), waits: 400 * time.Millisecond, loaded: true},
		{key: "once", name: "flipdeploy, rise 1, settle 0 s: as many checks as Ansible's first two", command: f.flipdeploy("once.toml")},
		{key: "again", name: "the same, the second time: a delta, and the program that applies it", command: f.flipdeploy("once.toml"), prepare: f.before},
		{key: "staged", name: "Ansible, steps merged, uploads first", command: f.ansible("playbook-staged.yml", "drain"), prepare: f.warm},
		{key: "steps", name: "Ansible, a module a step", command: f.ansible("playbook-steps.yml", "drain"), prepare: f.warm},
		{key: "serial", name: "Ansible, steps merged, uploads in turn", command: f.ansible("playbook-serial.yml", "drain"), prepare: f.warm},
		{key: "checked", name: "Ansible, steps merged, as many checks as the default", command: f.ansible("playbook-checked.yml", "drain"), prepare: f.warm, waits: 2 * time.Second},
		{key: "sticky", name: "flipdeploy, rise 1, settle 0 s: back once HAProxy has checked it", command: f.flipdeploy("once.toml"), loaded: true, sticky: true},
		{key: "stuck", name: "Ansible, steps merged, uploads in turn: back unchecked by HAProxy", command: f.ansible("playbook-serial.yml", "disabled"), prepare: f.warm, sticky: true},
	}
}

func (f *fleet) flipdeploy(inventory string) func(program, version string) *exec.Cmd {
	return func(program, version string) *exec.Cmd {
		return exec.Command(filepath.Join(f.dir, "bin/flipdeploy"), "rollout", "--json",
			"-i", filepath.Join(f.dir, inventory), "--artifact", program, "--revision", version)
	}
}

// before has the hosts deployed to by flipdeploy once: the next time it sends what differs,
// and what puts that together there.
func (f *fleet) before() error {
	cmd := f.flipdeploy("once.toml")(f.program("again0"), "again0")
	if err := f.join(cmd); err != nil {
		return err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	time.Sleep(time.Second) // as begin does
	return nil
}

// ansible has hosts out, one after another, in that state of its haproxy module.
func (f *fleet) ansible(playbook, out string) func(program, version string) *exec.Cmd {
	return func(program, version string) *exec.Cmd {
		return f.withConfig(exec.Command("ansible-playbook", filepath.Join(f.dir, "ansible", playbook),
			"-e", "artifact="+program, "-e", "release="+version, "-e", "out="+out))
	}
}

func (f *fleet) withConfig(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(os.Environ(), "ANSIBLE_CONFIG="+filepath.Join(f.dir, "ansible/ansible.cfg"))
	return cmd
}

// warm has Ansible's connections open: its users reuse them from run to run.
// flipdeploy makes its own anew each time, within the time that counts.
func (f *fleet) warm() error {
	cmd := f.withConfig(exec.Command("ansible", "all", "-m", "raw", "-a", "true"))
	if err := f.join(cmd); err != nil {
		return err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// A run is what one way took once.
type run struct {
	took        time.Duration
	least       time.Duration // of took, as its row asks for it
	here, there time.Duration // CPU of the tool with its helpers, and of all hosts
	events      []event
}

// beside is how long r took as a part of what other took.
func (r run) beside(other run) float64 { return r.took.Seconds() / other.took.Seconds() }

// time has the job done once from the start state, and proves that it was done.
func (f *fleet) time(w way, round int) (run, error) {
	if err := f.begin(w.sticky); err != nil {
		return run{}, err
	}
	if w.prepare != nil {
		if err := w.prepare(); err != nil {
			return run{}, err
		}
	}
	version := w.key + strconv.Itoa(round)
	cmd := w.command(f.program(version), version)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := f.join(cmd); err != nil {
		return run{}, err
	}
	here, there, began := f.cpu("tool"), f.hostsCPU(), time.Now()
	err := cmd.Run()
	r := run{took: time.Since(began), here: f.cpu("tool") - here, there: f.hostsCPU() - there}
	if err == nil {
		err = f.all(version)
	}
	if n := bytes.Count(out.Bytes(), []byte(`"to maint: `)); err == nil && w.sticky && eventsOf(out.Bytes(), began, began) != nil && n != f.hosts {
		err = fmt.Errorf("HAProxy is sticky, and %d of %d hosts went to maint", n, f.hosts)
	}
	if err == nil {
		r.least, err = f.least(w, began)
	}
	if err != nil {
		return r, fmt.Errorf("%w\n%s\n%s", err, out.String(), errs.String())
	}
	r.events = eventsOf(out.Bytes(), began, began.Add(r.took))
	return r, nil
}

// group is the control group of the tools, whose helpers outlive them.
func (f *fleet) group() string { return filepath.Join(f.groups, "tools-"+f.name) }

// join has cmd start in the tools' control group.
func (f *fleet) join(cmd *exec.Cmd) error {
	if err := os.MkdirAll(f.group(), 0o755); err != nil {
		return err
	}
	dir, err := os.Open(f.group())
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	cmd.WaitDelay = time.Second
	keep = append(keep, dir)
	return nil
}

var keep []*os.File // descriptors that commands start with

// close ends the helpers that tools left behind.
func (f *fleet) close() {
	_ = os.WriteFile(filepath.Join(f.group(), "cgroup.kill"), []byte("1"), 0)
	for range 20 {
		if os.Remove(f.group()) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (f *fleet) cpu(which string) time.Duration {
	dir := filepath.Join(f.groups, "fleet-"+f.name+"-"+which)
	if which == "tool" {
		dir = f.group()
	}
	data, _ := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	text, _, _ := strings.Cut(strings.TrimPrefix(string(data), "usage_usec "), "\n")
	n, _ := strconv.ParseInt(text, 10, 64)
	return time.Duration(n) * time.Microsecond
}

func (f *fleet) hostsCPU() time.Duration {
	sum := f.cpu("edge1")
	for i := range f.hosts {
		sum += f.cpu(fmt.Sprintf("web%d", i+1))
	}
	return sum
}

// idle is the share of a processor that the hosts use by themselves.
func (f *fleet) idle() float64 {
	before := f.hostsCPU()
	time.Sleep(3 * time.Second)
	return (f.hostsCPU() - before).Seconds() / 3
}
