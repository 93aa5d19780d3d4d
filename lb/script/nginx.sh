# Knows the nginx of this machine. Wants FD_CONF, FD_PID (its pid file, empty where
# not known yet), FD_SUDO.
export LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
fd_nl='
'
fd_tab=$(printf '\t')
fd_su=
[ "$FD_SUDO" != 1 ] || [ "$(id -u)" = 0 ] || fd_su='sudo -n'

fd_fail() { printf 'fd-lb fail %s\n' "$*"; exit 43; }
fd_refuse() { printf 'fd-lb refused %s\n' "$*"; exit 41; }
fd_say() { sed 's/^/fd-lb say /'; }

fd_root() { if [ -n "$fd_su" ]; then sudo -n "$@"; else "$@"; fi; }

# fd_nginx runs nginx itself on the same files as the one that runs. FD_ARGS is quoted.
fd_nginx() {
	eval "set -- $FD_ARGS \"\$@\""
	if [ -n "$fd_su" ]; then timeout 15 sudo -n "$fd_bin" "$@"; else timeout 15 "$fd_bin" "$@"; fi
}

# fd_cat FILE prints it, through sudo where it may not be read.
fd_cat() { if [ -r "$1" ]; then cat "$1"; else fd_root cat "$1"; fi 2>/dev/null; }

# fd_stat PID leaves start and title of a process in fd_start and fd_title.
fd_stat() {
	fd_start= fd_title= fd_l=
	{ read -r fd_l <"/proc/$1/stat"; read -r fd_title <"/proc/$1/cmdline"; } 2>/dev/null
	fd_l=${fd_l##*) }
	[ -n "$fd_l" ] || return 1
	set -- $fd_l
	fd_start=${20}
}

# fd_master leaves the master's pid in fd_m, or fails.
fd_master() {
	fd_m=
	[ -e "$FD_PID" ] || fd_fail no-pid
	{ read -r fd_m <"$FD_PID"; } 2>/dev/null
	case $fd_m in '' | *[!0-9]*) fd_fail no-pid "$fd_m" ;; esac
	fd_stat "$fd_m"
	case $fd_title in 'nginx: master process'*) ;; *) fd_fail no-master "$fd_m" ;; esac
	fd_mid=$fd_m-$fd_start
	fd_mt="$fd_mid $fd_title"
	fd_bin=${fd_title#nginx: master process }
	fd_bin=${fd_bin%% *}
	case $fd_bin in /*) ;; *) fd_bin=$(command -v nginx || readlink "/proc/$fd_m/exe") ;; esac
	[ ! -e "$FD_PID.oldbin" ] || fd_fail upgrade
}

fd_children() {
	if [ -e "/proc/$fd_m/task/$fd_m/children" ]; then
		fd_l=
		read -r fd_l <"/proc/$fd_m/task/$fd_m/children"
		printf '%s\n' "$fd_l"
	else
		cat /proc/[0-9]*/stat 2>/dev/null | awk -v m="$fd_m" '{ p = $1; sub(/^.*\) /, ""); if ($2 == m) printf "%s ", p }'
	fi
}

# fd_workers leaves the workers in fd_live (those that take connections) and fd_old
# (shutting down), each as PID-START.
fd_workers() {
	fd_live= fd_old= fd_pids=
	for fd_p in $(fd_children); do
		fd_stat "$fd_p" || continue
		case $fd_title in
		'nginx: worker process') fd_live="$fd_live $fd_p-$fd_start" ;;
		'nginx: worker process is shutting down') fd_old="$fd_old $fd_p-$fd_start" ;;
		*) continue ;;
		esac
		fd_pids="$fd_pids $fd_p"
	done
}

# fd_readable prints those of $1 (a line each) that may be read without sudo.
fd_readable() { for fd_x in $1; do [ ! -r "$fd_x" ] || printf '%s\n' "$fd_x"; done; }

# fd_sums prints `sum SHA256  PATH` for the files in $1 (a line each), or `closed PATH`.
fd_sums() {
	IFS=$fd_nl
	set -f
	fd_list=$1
	set -- $(fd_readable "$fd_list")
	[ $# = 0 ] || sha256sum "$@" 2>/dev/null | sed 's/^/sum /'
	for fd_x in $fd_list; do
		[ ! -r "$fd_x" ] || continue
		if [ -n "$fd_su" ] && fd_root cat "$fd_x" >/dev/null 2>&1; then
			fd_s=$(fd_cat "$fd_x" | sha256sum)
			printf 'sum %s  %s\n' "${fd_s%% *}" "$fd_x"
		else
			printf 'closed %s\n' "$fd_x"
		fi
	done
	set +f
	unset IFS
}
