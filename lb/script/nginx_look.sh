# Prints what nginx reads, who its workers are and what connections they hold. Wants
# FD_MORE (patterns to read as well), FD_KNOWN (how the sha256 of texts that are not to be sent again begin),
# FD_NAMES (to be resolved), FD_PORTS (of hosts, hex), FD_POLLS, FD_FACTS, FD_LOG (the error log,
# empty: not looked at) with FD_LOGAT ("SIZE INODE" as it was when last looked at), FD_ACCESS
# (of every access log three lines: path, "SIZE INODE" or nothing, a program for sed), and of
# the look before: FD_GLOBS (its glob and path lines), FD_PATHS, FD_SAME (their sha256).

# fd_patterns prints what the files in $1 (a line each) may include: more than they do,
# as comments and quotes are not looked at closely.
fd_patterns() {
	set -- "$1" $(fd_readable "$1")
	fd_these=$1
	shift
	{
		[ $# = 0 ] || awk "$fd_include" "$@"
		for fd_x in $fd_these; do [ -r "$fd_x" ] || fd_cat "$fd_x" | awk "$fd_include"; done
	} | awk '!seen[$0]++'
}
fd_include='BEGIN { RS = ";" } match($0, /(^|[ \t\r\n{};])include[ \t\r\n]+[^ \t\r\n]+[ \t\r\n]*$/) {
	s = substr($0, RSTART, RLENGTH); sub(/^.*include[ \t\r\n]+/, "", s); gsub(/[ \t\r\n]+$|["\047]/, "", s); print s }'

# fd_expand PATTERN prints its files in nginx's order.
fd_expand() {
	case $1 in /*) ;; *) set -- "${FD_CONF%/*}/$1" ;; esac
	printf 'glob %s\n' "$1"
	for fd_f in $1; do
		[ ! -f "$fd_f" ] || printf 'path %s\n' "$fd_f"
	done
}

fd_walk() {
	IFS=$fd_nl
	fd_seen=
	fd_new=$(printf 'glob %s\npath %s\n' "$FD_CONF" "$FD_CONF"; for fd_x in $FD_MORE; do fd_expand "$fd_x"; done)
	while [ -n "$fd_new" ]; do
		printf '%s\n' "$fd_new"
		fd_next=$(printf '%s\n==\n%s\n' "$fd_seen" "$fd_new" | awk '$0 == "==" { now = 1; next } /^path / && !seen[$0]++ && now { print substr($0, 6) }')
		fd_seen=$fd_seen$fd_nl$fd_new
		[ -n "$fd_next" ] || break
		set -f
		set -- $(fd_patterns "$fd_next")
		set +f
		fd_new=$(for fd_x; do fd_expand "$fd_x"; done)
	done
	unset IFS
}

# fd_unchanged succeeds when every file is as FD_SAME has it, and every include leads to
# the same files. Most looks end here: it takes few processes.
fd_unchanged() {
	[ -n "$FD_SAME" ] || return 1
	fd_x=$(IFS=$fd_nl && set -f && for fd_l in $FD_GLOBS; do case $fd_l in glob\ *) set +f && fd_expand "${fd_l#glob }" ;; esac; done)
	[ "$fd_x" = "$FD_GLOBS" ] || return 1
	fd_x=$(IFS=$fd_nl && set -f && set -- $FD_PATHS && sha256sum "$@" 2>/dev/null)
	[ "$fd_x" = "$FD_SAME" ]
}

# fd_times prints when files were changed and what they are.
fd_times() {
	IFS=$fd_nl
	set -f
	set -- $1
	stat -L -c 'file %.9Y %.9Z %d:%i %n' "$@" 2>/dev/null
	stat -c 'link %.9Y %F %n' "$@" 2>/dev/null | grep ' symbolic link '
	set +f
	unset IFS
}

# fd_files prints times and sums of all files, and the texts that are not known.
fd_files() {
	if fd_unchanged; then
		printf 'same\n'
		fd_times "$FD_PATHS"
		return 0
	fi
	fd_all=$(fd_walk)
	printf '%s\n' "$fd_all"
	fd_paths=$(printf '%s\n' "$fd_all" | sed -n 's/^path //p' | sort -u)
	fd_times "$fd_paths"
	IFS=$fd_nl
	set -f
	fd_sum=$(fd_sums "$fd_paths")
	printf '%s\n' "$fd_sum"
	fd_want=$(printf '%s\n%s\n' "$FD_KNOWN" "$fd_sum" | awk '
		NR == 1 { n = split($0, k, " "); for (i = 1; i <= n; i++) known[k[i]]; next }
		/^sum / && !(substr($2, 1, 12) in known) { print substr($0, 71) }')
	for fd_x in $fd_want; do
		printf 'text %s %s\n' "$(fd_cat "$fd_x" | wc -c | tr -d ' ')" "$fd_x"
		fd_cat "$fd_x"
		printf '\n'
	done
	set +f
	unset IFS
}

# fd_polls looks at connections FD_POLLS times, 100 ms apart.
fd_polls() {
	fd_n=1
	fd_socks
	while [ "$fd_n" -lt "${FD_POLLS:-1}" ]; do
		sleep 0.1 2>/dev/null || sleep 1
		fd_socks
		fd_n=$((fd_n + 1))
	done
	printf 'polls %s\n' "$fd_n"
}

# fd_socks prints the connections to the hosts' ports that the workers hold. Where
# their descriptors may not be seen, those of the workers' user.
fd_socks() {
	[ -n "$FD_PORTS" ] && [ -n "$fd_pids" ] || return 0
	set --
	fd_hidden=
	for fd_p in $fd_pids; do
		set -- "$@" "/proc/$fd_p/fd"
		[ -r "/proc/$fd_p/fd" ] || fd_hidden=1
	done
	fd_first=${fd_pids# }
	fd_first=${fd_first%% *}
	{
		if [ -n "$fd_hidden" ]; then
			awk '/^Uid:/ { print "uid", $3 }' "/proc/$fd_first/status" # its directory may say root
		else
			ls -l "$@" | awk '/^\/proc\// { split($0, a, "/"); pid = a[3] } match($0, /socket:\[[0-9]+\]/) { print "fd", substr($0, RSTART + 8, RLENGTH - 9), pid } END { print "fd 0 0" }'
		fi
		cat "/proc/$fd_first/net/tcp" "/proc/$fd_first/net/tcp6" 2>/dev/null
	} 2>/dev/null | awk -v ports=" $FD_PORTS " -v one="$fd_first" -v many=$# '
		$1 == "uid" { uid = $2; byuid = 1; next }
		$1 == "fd" { pid[$2] = many == 1 ? one : $3; next }
		$4 !~ /^0[1238]$/ { next }
		{ n = split($3, r, ":") }
		index(ports, " " r[n] " ") && (byuid ? $8 == uid : $10 in pid) { print "sock", byuid ? "-" : pid[$10], $3, $10 }'
	[ -z "$fd_hidden" ] || printf 'hidden\n'
}

fd_facts() {
	fd_v=$(nginx -V 2>&1) || fd_v=$($fd_bin -V 2>&1)
	printf '%s\n' "$fd_v" | sed -n 's/^nginx version: /version /p; s/^configure arguments:/configure/p'
}

# fd_errors counts what nginx wrote since about requests that failed, by address. The
# first look only remembers where the log ends; a log that was rotated is read anew.
fd_errors() {
	fd_z=$(stat -L -c '%s %i' "$FD_LOG" 2>/dev/null) && [ -r "$FD_LOG" ] || return 0
	printf 'log %s\n' "$fd_z"
	[ -n "$FD_LOGAT" ] || return 0
	fd_from=${FD_LOGAT% *}
	[ "${fd_z#* }" = "${FD_LOGAT#* }" ] && [ "$fd_from" -le "${fd_z% *}" ] || fd_from=0
	tail -c +$((fd_from + 1)) "$FD_LOG" | head -c $((${fd_z% *} - fd_from)) | awk '
		/\[error\].*(connect\(\) failed|timed out|prematurely closed|recv\(\) failed|send\(\) failed).*upstream: "/ {
			sub(/^.*upstream: "([a-z]*:\/\/)?/, ""); sub(/[\/"].*$/, ""); n[$0]++ }
		END { for (a in n) print "errors", n[a], a }'
}

# fd_access counts the requests of each address in new lines of access logs, and those that
# it answered with 5xx. sed leaves addresses and statuses of a line, which are lists where
# a request was tried again.
fd_access() {
	printf '%s\n' "$FD_ACCESS" | while IFS= read -r fd_x && IFS= read -r fd_at && IFS= read -r fd_prog; do
		fd_z=$(stat -L -c '%s %i' "$fd_x" 2>/dev/null) && [ -r "$fd_x" ] || continue
		fd_from=${fd_at% *}
		[ "${fd_z#* }" = "${fd_at#* }" ] && [ "$fd_from" -le "${fd_z% *}" ] || fd_from=0
		[ -n "$fd_at" ] || fd_from=${fd_z% *}
		fd_n=$((${fd_z% *} - fd_from))
		[ "$fd_n" -le 16777216 ] || fd_n=16777216 # the rest the next time
		printf 'read %s %s %s\n' $((fd_from + fd_n)) "${fd_z#* }" "$fd_x"
		tail -c +$((fd_from + 1)) "$fd_x" | head -c "$fd_n" | sed -n -E "$fd_prog" | awk -F '\t' '
			{ n = split($1, a, /, | : /); split($2, s, /, | : /)
			for (i = 1; i <= n; i++) { all[a[i]]++; if (s[i] ~ /^5/) bad[a[i]]++ } }
			END { for (x in all) print "access", all[x], bad[x] + 0, x }'
	done
}

fd_look() {
	printf '== nginx\n'
	[ "$FD_FACTS" != 1 ] || fd_facts
	if [ -n "$FD_PID" ]; then
		fd_master
		fd_workers
		printf 'master %s\nbin %s\n' "$fd_mt" "$fd_bin"
		for fd_w in $fd_live; do printf 'worker live %s\n' "$fd_w"; done
		for fd_w in $fd_old; do printf 'worker old %s\n' "$fd_w"; done
		printf 'clock %s ' "$(date +%s.%N)"
		(fd_l= && read -r fd_l </proc/self/stat && fd_l=${fd_l##*) } && set -- $fd_l && printf '%s\n' "${20}")
		[ -z "$FD_PORTS" ] || fd_polls
	fi
	for fd_n in $FD_NAMES; do
		getent ahosts "$fd_n" 2>/dev/null | awk -v n="$fd_n" '!seen[$1]++ { print "name", n, $1 }'
	done
	[ -z "$FD_LOG" ] || fd_errors
	[ -z "$FD_ACCESS" ] || fd_access
	[ -z "$FD_PROBES" ] || fd_probe
	fd_files
	printf '== end\n'
}
fd_look
