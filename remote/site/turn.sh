enter
locked
t=$(mktemp .flipdeploy/turn.XXXXXXXX) || exit
trap '[ ! -e "$t" ] || rm -f -- "$t"' EXIT
printf '%s %s\n' "$epoch" "$fd_turn" >"$t" && fsync "$t" && mv -f "$t" .flipdeploy/turn && fsync .flipdeploy
