# Signals processes given as pid:start pairs, each only while it is still the
# same one. Set before: victims signal sudo me
for v in $victims; do
  pid=${v%:*} s=
  { read -r s <"/proc/$pid/stat"; } 2>/dev/null
  set -- ${s##*) }
  [ "${20}" = "${v#*:}" ] || continue
  kill -"$signal" "$pid" 2>/dev/null && continue
  [ "$sudo" != 1 ] || [ "$me" = 0 ] || timeout 10 sudo -n kill -"$signal" "$pid" 2>/dev/null
done
exit 0
