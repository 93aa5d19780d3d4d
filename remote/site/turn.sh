enter
locked
t=$(mktemp .flipdeploy/turn.XXXXXXXX) || exit
printf '%s %s\n' "$epoch" "$fd_turn" >"$t" && fsync "$t" && mv -f "$t" .flipdeploy/turn && fsync .flipdeploy
