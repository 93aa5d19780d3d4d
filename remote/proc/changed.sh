# Tells which files of a unit were changed after systemd started it, or fails where that
# cannot be told. Reads only. Set before: unit
LC_ALL=C
export LC_ALL
show=$(SYSTEMD_BUS_TIMEOUT=10 systemctl show -p FragmentPath -p DropInPaths -p EnvironmentFiles -p ActiveEnterTimestampMonotonic -p NeedDaemonReload -- "$unit" 2>/dev/null) && [ -n "$show" ] ||
  { echo "systemctl tells nothing of $unit" >&2; exit 1; }
prop() { printf '%s\n' "$show" | sed -n "s/^$1=//p"; }
[ "$(prop NeedDaemonReload)" != yes ] || echo stale
since=$(prop ActiveEnterTimestampMonotonic)
[ "${since:-0}" != 0 ] || exit 0
read -r up _ </proc/uptime
began=$(awk -v now="$(date +%s)" -v up="$up" -v since="$since" 'BEGIN { printf "%d", now - up + since / 1000000 + 1 }')
for f in $(prop FragmentPath) $(prop DropInPaths) $(prop EnvironmentFiles | sed 's/ (ignore_errors=.*//'); do
  at=$(stat -Lc %Y -- "$f" 2>&1) || case $at in
    *'No such file'*) continue ;;
    *) echo "it cannot be seen when $f was changed" >&2; exit 1 ;;
  esac
  [ "$at" -le "$began" ] || echo "changed $f"
done
exit 0
