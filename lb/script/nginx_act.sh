# Checks, edits, reloads and proves as one. Wants FD_SUMS (`sum SHA256  PATH` of every
# file as looked at, sorted), FD_WAS and FD_LIVE (master and workers, as looked at),
# FD_SEATS, FD_MIN and FD_ALSO (for fd_floor), FD_OK (what a good probe says, a regular
# expression), FD_LOG, FD_PUTS ("N BEFORE AFTER PATH" of every file to change, made by
# fd_make_N from $fd_src), FD_RELOAD.

# fd_test runs nginx -t; its words are in fd_words.
fd_test() { fd_words=$(fd_nginx -t -q 2>&1); }

# fd_same refuses when anything is not as looked at.
fd_same() {
	[ "$fd_mid" = "$FD_WAS" ] && [ "$fd_live" = "$FD_LIVE" ] || fd_refuse restarted
	fd_now=$(fd_sums "$(printf '%s\n' "$FD_SUMS" | cut -c 71-)" | sort)
	[ "$fd_now" = "$FD_SUMS" ] || fd_refuse moved $(printf '%s\n%s\n' "$FD_SUMS" "$fd_now" | sort | uniq -u | sed 's/^sum [0-9a-f]*  //' | sort -u | head -n 3)
}

# fd_floor refuses when fewer hosts than FD_MIN would serve after the act, or than another
# floor says (FD_ALSO: `also MIN`, then `among HOST` for each that it is of), and it is
# the act that takes them away; or when a pool would lose its last server. FD_SEATS:
# `seat POOL HOST BEFORE AFTER ADDR`, a line of a pool each.
fd_floor() {
	fd_prober
	fd_no=$({ fd_probe; printf '%s\n' "$FD_ALSO" "$FD_SEATS"; } | awk -v ok="$FD_OK" -v min="$FD_MIN" '
		$1 == "also" { least[++floors] = $2; next }
		$1 == "among" { among[floors, $2]; next }
		$1 == "probe" { good[$2] = $3 ~ ok; next }
		$1 != "seat" { next }
		{ hosts[$3]; pools[$2]; b = $4 && good[$6]; a = $5 && good[$6]
		if (!b) lameb[$3] = 1
		if (!a) lamea[$3] = 1
		if (b && !a) loses[$2] = 1
		if (a) left[$2]++ }
		END {
			for (h in hosts) {
				before += !lameb[h]; after += !lamea[h]
				for (i = 1; i <= floors; i++) if ((i, h) in among) { was[i] += !lameb[h]; is[i] += !lamea[h] }
			}
			for (i = 1; i <= floors; i++) if (is[i] < least[i] && is[i] < was[i]) { print "floor", is[i] + 0, least[i]; exit }
			if (after < min && after < before) { print "floor", after + 0, min; exit }
			if (min > 0) for (p in pools) if (loses[p] && left[p] + 0 < 1) { print "floor", 0, min, p; exit }
		}')
	[ -z "$fd_no" ] || fd_refuse $fd_no
}

fd_cut() { if [ "$2" = - ]; then tail -c +$(($1 + 1)) "$fd_src"; else tail -c +$(($1 + 1)) "$fd_src" | head -c "$2"; fi; }
fd_sha() { sha256sum <"$1" | cut -d' ' -f1; }

# fd_each DO runs DO N BEFORE AFTER PATH for every file to change.
fd_each() {
	printf '%s\n' "$FD_PUTS" >"$fd_tmp/puts"
	while read -r fd_n fd_b fd_a fd_x <&3; do
		[ -z "$fd_x" ] || "$1" "$fd_n" "$fd_b" "$fd_a" "$fd_x" || return 1
	done 3<"$fd_tmp/puts"
}

# fd_make has the old and the new text of a file ready, both proven.
fd_make() {
	fd_src=$fd_tmp/$1.old
	fd_cat "$4" >"$fd_src"
	[ "$(fd_sha "$fd_src")" = "$2" ] || fd_refuse moved "$4"
	"fd_make_$1" >"$fd_tmp/$1.new"
	[ "$(fd_sha "$fd_tmp/$1.new")" = "$3" ] || fd_fail make "$4"
}

# fd_put FROM PATH replaces a file at once, or in place where it is a mount of its own:
# same owner, same mode, and the time of its last change by people.
fd_put() {
	fd_bad=0
	fd_real=$(readlink -f "$2") && [ -f "$fd_real" ] || return 1
	fd_to=${fd_real%/*}/.flipdeploy-${fd_real##*/}
	fd_root rm -f "$fd_to" && fd_root cp -p "$fd_real" "$fd_to" || return 1
	fd_root tee "$fd_to" <"$1" >/dev/null && fd_root touch -r "$fd_real" "$fd_to" || { fd_root rm -f "$fd_to"; return 1; }
	fd_sync "$fd_to" || [ -n "$fd_undoing" ] || { fd_root rm -f "$fd_to"; return 1; }
	if fd_words=$(fd_root mv -f "$fd_to" "$fd_real" 2>&1); then
		sync "${fd_real%/*}"
		return 0
	fi
	case $fd_words in *' busy'*) fd_over "$1" || fd_bad=1 ;; *) fd_bad=1 && printf '%s\n' "$fd_words" ;; esac
	fd_root rm -f "$fd_to"
	return $fd_bad
}

# fd_sync makes a file durable, or prints why the disk did not. What only root may read is
# synced with all that there is, and where names are not known.
fd_sync() {
	fd_words=$(sync "$1" 2>&1) && return
	printf '%s\n' "$fd_words" | grep '^sync: ' |
		grep -Ev '^sync: [A-Za-z]+ option|: (Permission denied|Invalid argument|[A-Za-z ]+ not (supported|implemented))$' && return 1
	sync
}

# fd_over writes into the file. A crash here leaves it half old, half new; nginx goes on
# with what it has read.
fd_over() {
	fd_root touch -r "$fd_real" "$fd_to" &&
		fd_root dd "of=$fd_real" conv=notrunc,fsync bs=1048576 <"$1" &&
		fd_root truncate -s "$(wc -c <"$1" | tr -d ' ')" "$fd_real" &&
		fd_root touch -r "$fd_to" "$fd_real"
}

fd_new() {
	fd_done="$1 $fd_done"
	fd_words=$(fd_put "$fd_tmp/$1.new" "$4" 2>&1) && return 0
	fd_undo
	printf '%s\n' "$fd_words" | fd_say
	fd_gone write "$4"
}

# fd_undo puts the old bytes back where a file has ours, whatever the disk says; fd_left are
# the files where that failed, or nobody can tell.
fd_undo() { fd_left=$(fd_undoing=1; fd_each fd_old 2>/dev/null); }
# fd_gone WHY PATH fails after that.
fd_gone() { [ -z "$fd_left" ] || fd_fail not-back $fd_left; fd_fail "$@"; }
fd_old() {
	case " $fd_done" in *" $1 "*) ;; *) return 0 ;; esac
	fd_cat "$4" >"$fd_tmp/now" || { printf '%s\n' "$4" && return; }
	[ "$(fd_sha "$fd_tmp/now")" = "$3" ] || return 0
	fd_put "$fd_tmp/$1.old" "$4" >/dev/null 2>&1 || printf '%s\n' "$4"
}

# fd_reload has nginx read its files and returns once every worker that takes
# connections is a new one. That -t and -s reload say 0 proves nothing.
fd_reload() {
	fd_size=0
	[ -z "$FD_LOG" ] || fd_size=$(stat -L -c %s "$FD_LOG" 2>/dev/null || echo 0)
	fd_was=$fd_live
	fd_words=$(fd_nginx -s reload 2>&1) || return 1
	fd_n=0
	while [ "$fd_n" -lt 50 ]; do
		# The old workers close their connections now; to look at once takes CPU from that
		# moment, in which a request may cross it.
		sleep 0.2 2>/dev/null || { sleep 1 && fd_n=$((fd_n + 4)); }
		fd_workers
		fd_replaced && return 0
		fd_n=$((fd_n + 2))
	done
	[ -n "$fd_some" ] || return 2
}

# fd_replaced; fd_some is set when some worker is new: then it is live, and an old one
# is only too busy to say so.
fd_replaced() {
	fd_some= fd_kept=
	for fd_w in $fd_live; do
		case "$fd_was " in *" $fd_w "*) fd_kept=1 ;; *) fd_some=1 ;; esac
	done
	[ -n "$fd_some" ] && [ -z "$fd_kept" ]
}

fd_emerg() {
	[ -n "$FD_LOG" ] || return 0
	if [ -r "$FD_LOG" ]; then tail -c +$((fd_size + 1)) "$FD_LOG"; else fd_root tail -n 40 "$FD_LOG"; fi 2>/dev/null | grep -E '\[(emerg|alert|crit)\]' | tail -n 8 | fd_say
}

fd_back() {
	fd_undo
	case $1 in
	1) printf '%s\n' "$fd_words" | fd_say; fd_gone reload ;;
	*) fd_emerg; fd_gone not-live ;;
	esac
}

fd_act() {
	fd_master
	fd_workers
	fd_same
	[ -z "$FD_SEATS" ] || fd_floor
	[ "$FD_RELOAD" != 0 ] || [ -n "$FD_PUTS" ] || return 0
	fd_test || { printf '%s\n' "$fd_words" | fd_say; fd_fail broken; }
	fd_done= fd_undoing=
	fd_tmp=$(mktemp -d) || fd_fail tmp
	trap 'rm -rf "$fd_tmp"' EXIT
	# Told to stop before the reload: nothing is left changed.
	trap 'fd_undo; exit 43' TERM HUP INT
	fd_each fd_make
	fd_each fd_new
	fd_test || { fd_undo; printf '%s\n' "$fd_words" | fd_say; fd_gone after; }
	[ "$FD_RELOAD" != 0 ] || return 0
	trap '' TERM HUP INT
	fd_reload || fd_back $?
}
fd_act
for fd_w in $fd_live; do printf 'live %s\n' "$fd_w"; done
printf '== done\n'
