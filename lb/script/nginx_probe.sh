# Asks hosts straight from this machine, all at once. Wants FD_PROBES (host:port, one
# a line) and FD_GET (the path, empty: a connection is enough), FD_HOST. Prints for
# each `probe ADDR WORD…`: WORD is open, the HTTP status, or - with the reason.
fd_prober() {
	for fd_t in perl python3 curl socat nc; do
		command -v "$fd_t" >/dev/null 2>&1 || continue
		case $fd_t in perl) perl -e 1 ;; python3) python3 -c '' ;; esac >/dev/null 2>&1 && return 0
	done
	fd_fail no-probe-tool
}

fd_one() {
	fd_h=${1%:*} fd_h=${fd_h#[} fd_h=${fd_h%]} fd_o=${1##*:}
	case $fd_t:$FD_GET in
	curl:)
		curl -s -o /dev/null -m 2 "http://$1/" 2>/dev/null
		case $? in 6 | 7 | 28) printf 'probe %s - no connection\n' "$1" ;; *) printf 'probe %s open\n' "$1" ;; esac ;;
	curl:*)
		fd_c=$(curl -s -o /dev/null -m 2 -w '%{http_code}' -H "Host: ${FD_HOST:-$1}" "http://$1$FD_GET" 2>/dev/null)
		[ "$fd_c" != 000 ] || fd_c='- no answer'
		printf 'probe %s %s\n' "$1" "$fd_c" ;;
	socat:)
		if timeout 2 socat -u /dev/null "TCP:$1" 2>/dev/null; then printf 'probe %s open\n' "$1"; else printf 'probe %s - no connection\n' "$1"; fi ;;
	nc:)
		if timeout 2 nc -w 2 "$fd_h" "$fd_o" </dev/null >/dev/null 2>&1; then printf 'probe %s open\n' "$1"; else printf 'probe %s - no connection\n' "$1"; fi ;;
	*)
		fd_c=$(printf 'GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: flipdeploy\r\nConnection: close\r\n\r\n' "$FD_GET" "${FD_HOST:-$1}" |
			case $fd_t in socat) timeout 2 socat -t2 - "TCP:$1" ;; *) timeout 2 nc "$fd_h" "$fd_o" ;; esac 2>/dev/null | sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p')
		printf 'probe %s %s\n' "$1" "${fd_c:-- no answer}" ;;
	esac
}

fd_probe() {
	fd_prober
	case $fd_t in
	perl) perl -e 'use Socket; my ($get, $host, @all) = @ARGV; my $class = eval { require IO::Socket::IP; 1 } ? "IO::Socket::IP" : do { require IO::Socket::INET; "IO::Socket::INET" };
for my $a (@all) {
	next if fork; $| = 1;
	my ($h, $p) = $a =~ /^\[?(.*?)\]?:(\d+)$/;
	$SIG{ALRM} = sub { print "probe $a - no answer within 2s\n"; exit }; alarm 2;
	my $s = $class->new(PeerAddr => $h, PeerPort => $p, Proto => "tcp") or do { my $e = lc "$!"; print "probe $a - $e\n"; exit };
	if ($get eq "") { print "probe $a open\n"; exit }
	print $s "GET $get HTTP/1.1\r\nHost: ".($host eq "" ? $a : $host)."\r\nUser-Agent: flipdeploy\r\nConnection: close\r\n\r\n"; $s->flush;
	my $l = <$s>; my ($c) = ($l // "") =~ m{^HTTP/\S+ (\d+)}; $c //= "- no HTTP answer"; print "probe $a $c\n"; exit;
}
1 while wait > 0;' "$FD_GET" "$FD_HOST" $FD_PROBES 2>/dev/null ;;
	python3) python3 -c 'import socket, sys, threading
get, host, said = sys.argv[1], sys.argv[2], threading.Lock()
def ask(a):
    h, p = a.rsplit(":", 1)
    try:
        s = socket.create_connection((h.strip("[]"), int(p)), 2); s.settimeout(2); w = "open"
        if get:
            s.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: flipdeploy\r\nConnection: close\r\n\r\n" % (get, host or a)).encode())
            l = s.makefile("rb").readline(200).split(); w = l[1].decode() if len(l) > 1 and l[0][:5] == b"HTTP/" and l[1].isdigit() else "- no HTTP answer"
        s.close()
    except OSError as e:
        w = "- " + (e.strerror or str(e)).lower()
    with said: print("probe", a, w, flush=True)
t = [threading.Thread(target=ask, args=(a,)) for a in sys.argv[3:]]
[x.start() for x in t]; [x.join(5) for x in t]' "$FD_GET" "$FD_HOST" $FD_PROBES 2>/dev/null ;;
	*)
		for fd_x in $FD_PROBES; do fd_one "$fd_x" & done
		wait ;;
	esac
}
