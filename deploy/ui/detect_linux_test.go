package ui

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// pty is a terminal of the kernel: what a person types into and reads from, and
// what a program has.
func pty(t *testing.T, cols uint16) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var number, unlock uint32
	size := [4]uint16{24, cols}
	control(t, person, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	control(t, person, syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(t, person, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close(); program.Close() })
	return person, program
}

func control(t *testing.T, f *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		t.Fatal(errno)
	}
}

func TestDetect(t *testing.T) {
	_, tty := pty(t, 72)
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name        string
		err         *os.File
		env         string
		live, color bool
	}{
		{"a terminal", tty, "TERM=xterm", true, true},
		{"a file", file, "TERM=xterm", false, false},
		{"a dumb terminal", tty, "TERM=dumb", false, false},
		{"no TERM", tty, "", false, false},
		{"CI", tty, "TERM=xterm CI=true", false, true},
		{"CI=false", tty, "TERM=xterm CI=false", true, true},
		{"GitLab", tty, "TERM=xterm GITLAB_CI=1", false, true},
		{"NO_COLOR", tty, "TERM=xterm NO_COLOR=1", true, false},
		{"NO_COLOR empty", tty, "TERM=xterm NO_COLOR=", true, true},
	} {
		o := Detect(file, c.err, func(name string) string {
			for _, pair := range strings.Fields(c.env) {
				if k, v, _ := strings.Cut(pair, "="); k == name {
					return v
				}
			}
			return ""
		})
		if o.Live != c.live || o.Color != c.color || o.Out != file || o.Err != c.err {
			t.Errorf("%s: live %v, color %v", c.name, o.Live, o.Color)
		}
		if want := map[bool]int{true: 72, false: 80}[c.err == tty]; o.Width() != want {
			t.Errorf("%s: %d columns", c.name, o.Width())
		}
	}
}

func TestLiveOnATerminalOfTheKernel(t *testing.T) {
	person, tty := pty(t, 72)
	o := Detect(tty, tty, func(name string) string { return map[string]string{"TERM": "xterm", "NO_COLOR": "1"}[name] })
	u := New(o)
	u.Event(host(0, "web1", deploy.Draining, "", 0))
	time.Sleep(3 * frameEvery)
	u.Result(deploy.Result{Outcome: deploy.OutcomeNothing})
	u.Close()
	got := ""
	for buf := make([]byte, 4096); !strings.HasSuffix(got, "to do\n"); {
		n, err := person.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += strings.ReplaceAll(string(buf[:n]), "\r\n", "\n")
	}
	wantText(t, "terminal", got, erased+drawn("flipping   0% [                      ] (0/1)  web1 draining")+
		erased+"nothing: there was nothing to do\n")
}
