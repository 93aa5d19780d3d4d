# Talks to a HAProxy socket. Wants FD_SOCK, FD_MASTER, FD_SUDO, FD_CFG, FD_TRIM.
fd_fail() { printf 'fd-lb fail %s\n' "$*"; exit 43; }

fd_tool() {
	for fd_t in socat nc perl python3; do
		command -v "$fd_t" >/dev/null 2>&1 || continue
		[ "$fd_t" != nc ] || nc -h 2>&1 | grep -Eq -e '-[A-Za-z0-9]*U' || continue
		return 0
	done
	fd_fail no-tool
}

# fd_open SOCKET returns once it is known how SOCKET is spoken to.
fd_open() {
	fd_tool
	fd_su=
	case $1 in tcp://*) return 0 ;; esac
	[ -S "$1" ] && [ -w "$1" ] && return 0
	if [ "$FD_SUDO" = 1 ]; then
		case $fd_t in socat | nc) fd_su='sudo -n' && return 0 ;; esac
	fi
	fd_owner=$(stat -c '%U:%G %a' "$1" 2>/dev/null)
	[ -S "$1" ] && fd_fail denied "$1" "$fd_owner"
	[ -e "$1" ] && fd_fail no-socket "$1" "$fd_owner"
	[ -x "${1%/*}/" ] || [ ! -d "${1%/*}/" ] || fd_fail denied "${1%/*}" "$(stat -c '%U:%G %a' "${1%/*}" 2>/dev/null)"
	fd_fail missing "$1"
}

# fd_ask SOCKET COMMANDS sends them and prints the reply, the tool's own words included.
# UNIX-CONNECT: a bare path would be created as a file where it is missing. -T: what
# runs through sudo cannot be ended by our timeout. Here-documents, not pipes, here and
# below: forks are what these scripts cost.
fd_ask() {
	fd_a=${1#tcp://}
	case $fd_t:$1 in
	socat:tcp://*) timeout 12 socat -T10 -t10 - "TCP:$fd_a" ;;
	socat:*) timeout 12 $fd_su socat -T10 -t10 - "UNIX-CONNECT:$1" ;;
	nc:tcp://*) fd_h=${fd_a%:*} fd_h=${fd_h#[} && timeout 12 nc "${fd_h%]}" "${fd_a##*:}" ;;
	nc:*) timeout 12 $fd_su nc -U "$1" ;;
	perl:*) timeout 12 perl -e 'use IO::Socket::UNIX; use IO::Socket::INET; $|=1; my $a=shift;
		my $s = $a =~ s{^tcp://}{} ? IO::Socket::INET->new(PeerAddr=>$a) : IO::Socket::UNIX->new(Peer=>$a);
		$s or die "$!\n"; my $q=join("",<STDIN>); $s->autoflush(1); print $s $q; print while <$s>;' "$1" ;;
	*) timeout 12 python3 -c 'import socket,sys
a=sys.argv[1]
try:
    if a.startswith("tcp://"):
        h,p=a[6:].rsplit(":",1); s=socket.create_connection((h.strip("[]"),int(p)),10)
    else:
        s=socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(a)
except OSError as e:
    sys.exit(str(e))
s.sendall(sys.stdin.buffer.read())
while True:
    b=s.recv(65536)
    if not b: break
    sys.stdout.buffer.write(b)' "$1" ;;
	esac 2>&1 <<FD
$2
FD
}

# fd_get SOCKET COMMANDS leaves a complete reply, cut to what is ours, in fd_got, or fails
# with the reason there. The trailer must follow an empty line: a reply that was cut short
# is never taken for a whole.
fd_get() {
	fd_reply=$(fd_ask "$1" "$2"; printf '== rc %s\n' $?)
	fd_got=$(awk "$FD_TRIM" <<FD
$FD_CFG
== reply
$fd_reply
FD
	)
}

# fd_take [SETS PAIRS] leaves the balancer's state, after the commands SETS for PAIRS, in
# fd_now, or fails with the reason there.
fd_take() {
	FD_SETS=${2-}
	export FD_SETS
	fd_get "$FD_SOCK" "${1-}show info;show servers state;show stat"
	fd_e=$? fd_now=$fd_got FD_SETS=
	return $fd_e
}

fd_snap() {
	fd_take || { printf '%s\n' "$fd_now"; exit 43; }
}

fd_show() { printf '== haproxy\n%s\n\n== end\n' "$fd_now"; }
