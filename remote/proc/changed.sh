# Tells which files of a unit were changed after systemd started it, or fails where that
# cannot be told. Reads only. Set before: files (patterns among them) since (the boot, in µs)
LC_ALL=C
export LC_ALL
read -r up _ </proc/uptime
began=$(awk -v up="$up" -v since="$since" 'BEGIN { srand(); printf "%d", srand() - up + since / 1000000 + 1 }') # the clock, without a process
for f in $files; do
  at=$(stat -Lc %Y -- "$f" 2>&1) || case $at in
    *'No such file'*) continue ;;
    *) echo "it cannot be seen when $f was changed" >&2; exit 1 ;;
  esac
  [ "$at" -le "$began" ] || echo "changed $f"
done
exit 0
