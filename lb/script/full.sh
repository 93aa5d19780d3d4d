# fd_full COMMAND prints where sudo finds it: sudoers has full paths.
fd_full() (
	IFS=:
	for fd_d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin $PATH; do
		case $1 in /*) break ;; esac
		[ -f "$fd_d/$1" ] && [ -x "$fd_d/$1" ] && set -- "$fd_d/$1" && break
	done
	printf '%s' "$1"
)
fd_needs() { printf 'needs %s' "$(fd_full "$1")" && shift && printf ' %s' "$@" && printf '\n'; }
