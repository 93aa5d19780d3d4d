package remote

import (
	"net"
	"syscall"
)

// quickAck has the kernel acknowledge at once what was just received. Until a
// session is open sshd sends with Nagle's algorithm on: an acknowledgement that
// is held back for 40 ms holds its next message back too.
func quickAck(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
