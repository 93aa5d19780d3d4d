# Signals processes given as pid:start pairs, each only while it is still the
# same one. Set before: victims signal sudo
me=$(id -u)
stamp() {
  { read -r s < "/proc/$1/stat"; } 2>/dev/null || return 1
  s=${s##*) }
  set -- $s
  echo "${20}"
}
for v in $victims; do
  pid=${v%:*}
  [ "$(stamp "$pid")" = "${v#*:}" ] || continue
  kill -"$signal" "$pid" 2>/dev/null && continue
  [ "$sudo" != 1 ] || [ "$me" = 0 ] || timeout 10 sudo -n kill -"$signal" "$pid" 2>/dev/null
done
exit 0
