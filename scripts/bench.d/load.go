package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// underLoad has the job done once more under the standard load, not timed, and
// tells what became of the requests. One that failed is an error.
func (f *fleet) underLoad(w way) (string, error) {
	if err := f.begin(w.sticky); err != nil {
		return "", err
	}
	load := exec.Command(filepath.Join(f.dir, "bin/load"), "-url", "http://10.77.0.2", "-json")
	var report bytes.Buffer
	load.Stdout = &report
	story, err := load.StderrPipe()
	if err != nil {
		return "", err
	}
	if err := load.Start(); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(story)
	lines.Scan() // it is running
	time.Sleep(2 * time.Second)
	version := w.key + "0"
	out, err := w.command(f.program(version), version).CombinedOutput()
	time.Sleep(2 * time.Second)
	_ = load.Process.Signal(syscall.SIGTERM)
	for lines.Scan() {
	}
	if ended := load.Wait(); err == nil {
		err = ended
	}
	if err == nil {
		err = f.all(version)
	}
	if err != nil {
		return "", fmt.Errorf("%w\n%s\n%s", err, out, report.String())
	}
	return served(report.Bytes())
}

func served(report []byte) (string, error) {
	var r struct{ Served, Failed int }
	if err := json.Unmarshal(report, &r); err != nil {
		return "", err
	}
	if r.Served == 0 || r.Failed > 0 {
		return "", errors.New(string(report))
	}
	return fmt.Sprintf("%d requests served, %d failed", r.Served, r.Failed), nil
}
