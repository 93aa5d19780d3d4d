# Prints the app's last log lines. Set before: unit log since from sudo notes
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
if [ -n "$log" ]; then
  size=$(stat -Lc %s "$log" 2>/dev/null)
  [ "${size:-0}" -ge "$from" ] || from=0 # rotated
  tail -c +$((from + 1)) "$log" 2>/dev/null | tail -n 20 | tail -c 16384
elif [ -n "$unit" ]; then
  set -- journalctl -q -u "$unit" -n 20 --no-pager -o cat ${since:+--since "@$since"}
  out=$(timeout 10 "$@" 2>/dev/null)
  [ -n "$out" ] || [ "$sudo" != 1 ] || out=$(timeout 10 sudo -n "$@" 2>/dev/null)
  printf '%s\n' "$out" | tail -c 16384
fi
[ -z "$notes" ] || tail -n 20 "$notes" 2>/dev/null | tail -c 16384
exit 0
