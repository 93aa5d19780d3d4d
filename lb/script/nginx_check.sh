# Finds out what a rollout would need, and changes nothing. Wants FD_FILES (to be
# edited, one a line), FD_READ (all of them), FD_ARGS, FD_PROBES.
fd_may() {
	[ -n "$fd_su" ] || return 0
	fd_needs "$@"
	sudo -n -l "$@" >/dev/null 2>&1 || printf 'cannot sudo %s\n' "$*"
}

fd_rights() {
	fd_real=$(readlink -f "$1")
	fd_dir=${fd_real%/*}
	if [ -n "$fd_su" ]; then
		fd_to=$fd_dir/.flipdeploy-${fd_real##*/}
		fd_may rm -f "$fd_to"
		fd_may cp -p "$fd_real" "$fd_to"
		fd_may tee "$fd_to"
		fd_may touch -r "$fd_real" "$fd_to"
		fd_may mv -f "$fd_to" "$fd_real"
	elif [ ! -w "$fd_dir" ]; then
		printf 'cannot write %s %s\n' "$fd_dir" "$(stat -c '%U:%G %a' "$fd_dir" 2>/dev/null)"
	fi
	# What others may write here, they make root's.
	fd_mode=$(stat -c %a "$fd_dir" 2>/dev/null)
	case $fd_mode in *[2367]) printf 'open %s %s\n' "$fd_dir" "$fd_mode" ;; esac
}

fd_check() {
	fd_master
	for fd_x in awk sed stat sha256sum readlink tee mktemp timeout sort uniq; do
		command -v "$fd_x" >/dev/null 2>&1 || printf 'cannot find %s\n' "$fd_x"
	done
	fd_prober
	eval "set -- $FD_ARGS"
	fd_may "$fd_bin" "$@" -s reload
	fd_no=$(fd_may "$fd_bin" "$@" -t -q)
	printf '%s\n' "$fd_no"
	case $fd_no in
	*'cannot sudo'*) ;;
	*) fd_words=$(fd_nginx -t -q 2>&1) || printf '%s\n' "${fd_words:-nginx -t failed}" | sed 's/^/broken /' ;;
	esac
	printf '%s\n' "$FD_READ" | while read -r fd_x; do [ -z "$fd_x" ] || [ -r "$fd_x" ] || fd_may cat "$fd_x"; done
	printf '%s\n' "$FD_FILES" | while read -r fd_x; do [ -z "$fd_x" ] || fd_rights "$fd_x"; done
	printf 'nginx %s\n' "$fd_bin"
	printf '== checked\n'
}
fd_check
