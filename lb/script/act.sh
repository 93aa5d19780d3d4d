# Check and act as one: with 41 nothing was done, with 43 nobody knows how much. Before
# it fd_claimed may be set: the host was claimed, and we did not take it out yet.
# Wants FD_ACT, FD_READBACK, FD_DECIDE, FD_UNDO.
fd_decide() {
	printf '%s\n' "$FD_CFG" "$1" '== state' "$fd_now" | FD_CLAIMED="$fd_claimed" awk "$FD_DECIDE"
}

# fd_set PAIR WHAT succeeds when the answer was one empty line and nothing else.
fd_set() {
	fd_r=$(printf 'set server %s %s\n' "$1" "$2" | fd_ask "$FD_SOCK"; printf 'x%s' $?)
	[ "$fd_r" = "
x0" ]
}

# fd_back puts back what this script has set, and nothing else.
fd_back() {
	for fd_k in $fd_done; do fd_set "$fd_k" "state $FD_UNDO"; done
}

fd_stop() {
	[ -z "$FD_UNDO" ] || fd_back
	printf '%s\n' "$1"
	exit "$2"
}

fd_act() {
	fd_open "$FD_SOCK"
	fd_snap
	fd_plan=$(fd_decide "$FD_ACT") || { printf '%s\n' "$fd_plan"; exit 41; }
	fd_done=
	for fd_step in $(printf '%s\n' "$fd_plan" | sed -n 's/^set \([^ ]*\) \(.*\)$/\1=\2/p'); do
		fd_p=${fd_step%=*}
		fd_set "$fd_p" "state ${fd_step##*=}" || fd_stop "fd-lb fail set $fd_p $(printf '%s' "$fd_r" | tr '\n' ' ')" 43
		fd_done="$fd_p $fd_done"
	done
	for fd_p in $(printf '%s\n' "$fd_plan" | sed -n 's/^fresh //p'); do
		fd_done=${fd_done:-$fd_p}
		fd_set "$fd_p" 'health stopping' || fd_stop "fd-lb fail set $fd_p $(printf '%s' "$fd_r" | tr '\n' ' ')" 43
	done
	[ -z "$fd_done" ] || fd_snap
	fd_seen=$(fd_decide "$FD_READBACK") || fd_stop "$fd_seen" 43
	printf '%s\n' "$fd_plan" | grep '^fd-lb '
	fd_show
}
fd_act
