# Sends one signal to the process that was looked at, or says what moved and
# sends nothing. Set before: pid start exe uid signal sudo me
#
# What the shell can read itself, it reads: the less time passes until the signal.
s= owner=
{ read -r s <"/proc/$pid/stat"; } 2>/dev/null
set -- ${s##*) }
[ "$1" != Z ] && [ "${20}" = "$start" ] || { echo "moved start time"; exit 0; }
if [ -n "$exe" ]; then
  at=$(stat -Lc %d:%i "/proc/$pid/exe" 2>/dev/null) || { [ "$sudo" = 1 ] && at=$(sudo -n stat -Lc %d:%i "/proc/$pid/exe" 2>/dev/null); }
  [ "$at" = "$exe" ] || { echo "moved executable"; exit 0; }
fi
while read -r word id _; do
  case $word in Uid:) owner=$id; break ;; esac
done 2>/dev/null <"/proc/$pid/status"
[ "$owner" = "$uid" ] || { echo "moved user"; exit 0; }
if [ "$me" = 0 ] || [ "$me" = "$uid" ]; then
  kill -"$signal" "$pid" && echo sent
elif [ "$sudo" = 1 ]; then
  timeout 10 sudo -n kill -"$signal" "$pid" && echo sent
else
  echo "denied"
fi
