# Looks, and looks into old workers. Wants FD_ADDRS (host:port of the host in hand).
fd_workers() {
	fd_ask "$FD_MASTER" 'show proc' | awk '/^# old workers/ { o = 1; next } /^#/ { o = 0 } o && $2 == "worker" { print $1 }'
}

fd_old() {
	FD_SEC=2
	export FD_SEC
	for fd_p in $(fd_workers); do
		fd_get "$FD_MASTER" "@!$fd_p show stat" && printf '== old %s\n%s\n\n' "$fd_p" "$fd_got" || printf '== lost %s\n' "$fd_p"
	done
}

# fd_siblings prints the haproxy processes that share the parent of this one:
# old workers, where the master cannot be asked.
fd_siblings() {
	cat /proc/[0-9]*/status 2>/dev/null | awk -v me="$1" '
		/^Name:/ { n = $2 } /^Pid:/ { p = $2 }
		/^PPid:/ && n == "haproxy" { parent[p] = $2 }
		END { if (!(me in parent)) exit 1; for (p in parent) if (p != me && parent[p] == parent[me]) print p }'
}

# fd_socks counts the connections to the host that old workers hold (their ids in
# $1), and those whose owner may not be seen.
fd_socks() {
	ss -Htnp state established "$2" 2>/dev/null | awk -v old=" $1 " '
		/"haproxy"/ { for (r = $0; match(r, /pid=[0-9]+/); r = substr(r, RSTART + RLENGTH)) if (index(old, " " substr(r, RSTART + 4, RLENGTH - 4) " ")) { n++; break } next }
		!/users:/ { u++ }
		END { print n + 0, u + 0 }'
}

fd_guess() {
	fd_pid=${fd_now#*Pid: }
	fd_sib=$(fd_siblings "${fd_pid%%[!0-9]*}") || { printf '== blind\n'; return; }
	[ -n "$fd_sib" ] || return 0
	command -v ss >/dev/null 2>&1 || { printf '== blind\n'; return; }
	printf '== socks %s\n' "$(fd_socks "$(printf '%s ' $fd_sib)" "$FD_DST")"
}

fd_poll() {
	fd_open "$FD_SOCK"
	fd_snap
	printf '== haproxy\n%s\n\n' "$fd_now"
	if [ -n "$FD_MASTER" ]; then fd_open "$FD_MASTER"; fd_old; else fd_guess; fi
	printf '== end\n'
}
fd_poll
