package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// pty is a terminal of the kernel: what a person types into and reads from, and
// what a program has.
func pty(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var number, unlock uint32
	for request, arg := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatal(errno)
		}
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close(); program.Close() })
	return person, program
}

func TestAQuestionIsAnsweredByAPersonAtATerminal(t *testing.T) {
	for answer, yes := range map[string]bool{"y": true, "YES": true, "": false, "n": false, "yess": false, "\x04": false} {
		person, tty := pty(t)
		out := file(t, "stdout")
		a := &asking{x: &program{env: Env{Stdin: tty, Stdout: out, Stderr: tty}}}
		a.say("what is shown")
		if _, err := person.WriteString(answer + "\n"); err != nil {
			t.Fatal(err)
		}
		err := a.confirm(false, "Go on\x1b[31m?")
		if yes && err != nil || !yes && !errors.Is(err, errNotConfirmed) {
			t.Errorf("%q: %v", answer, err)
		}
		if got := read(t, out.Name()); got != "what is shown\n" {
			t.Errorf("before the question stdout has %q", got)
		}
		asked, buf := "", make([]byte, 200)
		for !strings.Contains(asked, "[y/N] ") { // the echo may come alone
			n, err := person.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			asked += string(buf[:n])
		}
		if !strings.Contains(asked, `Go on\x1b[31m? [y/N] `) {
			t.Errorf("asked %q", asked)
		}
	}
}

func TestAQuestionThatNobodyCanAnswerIsRefused(t *testing.T) {
	_, tty := pty(t)
	log := file(t, "log")
	for _, env := range []Env{{Stdin: log, Stdout: tty, Stderr: tty}, {Stdin: tty, Stdout: tty, Stderr: log}} {
		a := &asking{x: &program{env: env}}
		err := a.confirm(false, "Go on?")
		var u *usageError
		if !errors.As(err, &u) || u.Error() != "Go on? There is no terminal to answer on: give --yes" || !strings.Contains(u.Hint(), "--yes") {
			t.Errorf("says %v", err)
		}
		if err := a.confirm(true, "Go on?"); err != nil {
			t.Errorf("--yes: %v", err)
		}
	}
}
