# Check and act as one: with 41 nothing was done, with 43 nobody knows how much. Before
# it fd_claimed may be set: the host was claimed, and we did not take it out yet.
# Wants FD_ACT, FD_READBACK, FD_DECIDE, FD_UNDO.
fd_decide() {
	FD_CLAIMED="$fd_claimed" awk "$FD_DECIDE" <<FD
$FD_CFG
$1
== state
$fd_now
FD
}

# fd_stop puts back what this script has set, and nothing else.
fd_stop() {
	[ -z "$FD_UNDO" ] || for fd_p in $fd_done; do fd_ask "$FD_SOCK" "set server $fd_p state $FD_UNDO" >/dev/null; done
	printf '%s\n' "$1"
	exit 43
}

# fd_act reads back in the same breath as it sets: HAProxy does one after the other.
fd_act() {
	fd_open "$FD_SOCK"
	fd_snap
	fd_plan=$(fd_decide "$FD_ACT") || { printf '%s\n' "$fd_plan"; exit 41; }
	fd_sets= fd_pairs= fd_done= fd_said=
	while read -r fd_w fd_p fd_to; do
		case $fd_w in
		set) fd_sets="${fd_sets}set server $fd_p state $fd_to;" fd_pairs="$fd_pairs $fd_p" fd_done="$fd_done $fd_p" ;;
		fresh) fd_sets="${fd_sets}set server $fd_p health stopping;" fd_pairs="$fd_pairs $fd_p" ;;
		fd-lb) fd_said="$fd_w $fd_p $fd_to" ;;
		esac
	done <<FD
$fd_plan
FD
	[ -z "$fd_sets" ] || fd_take "$fd_sets" "$fd_pairs" || fd_stop "$fd_now"
	[ -z "$FD_READBACK" ] || fd_seen=$(fd_decide "$FD_READBACK") || fd_stop "$fd_seen"
	[ -z "$fd_said" ] || printf '%s\n' "$fd_said"
	fd_show
}
fd_act
