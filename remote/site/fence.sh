enter
locked
[ "$fence" -eq "$epoch" ] && fsync .flipdeploy && exit 0
t=$(mktemp .flipdeploy/fence.XXXXXXXX) || exit
trap '[ ! -e "$t" ] || rm -f -- "$t"' EXIT
printf '%s\n' "$epoch" >"$t" && fsync "$t" && mv -f "$t" .flipdeploy/fence && fsync .flipdeploy
