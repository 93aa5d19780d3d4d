enter
locked
[ "$fence" -eq "$epoch" ] && exit 0
t=$(mktemp .flipdeploy/fence.XXXXXXXX) || exit
printf '%s\n' "$epoch" >"$t" && fsync "$t" && mv -f "$t" .flipdeploy/fence && fsync .flipdeploy
