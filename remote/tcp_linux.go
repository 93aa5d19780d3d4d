package remote

import (
	"math"
	"net"
	"time"

	"golang.org/x/sys/unix"
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
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
}

// leastTrip is the shortest round trip that the kernel saw of late, 0 where it saw none.
func leastTrip(c *net.TCPConn) (least time.Duration) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil && info.Min_rtt < math.MaxUint32 {
			least = time.Duration(info.Min_rtt) * time.Microsecond
		}
	})
	return least
}
