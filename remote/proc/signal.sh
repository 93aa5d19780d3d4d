# Sends one signal to the process that was looked at, or says what moved and
# sends nothing. Set before: pid start exe uid signal sudo
me=$(id -u)
stamp() {
  { read -r s < "/proc/$1/stat"; } 2>/dev/null || return 1
  s=${s##*) }
  set -- $s
  [ "$1" != Z ] && echo "${20}"
}
ino() { stat -Lc %d:%i "/proc/$pid/exe" 2>/dev/null || { [ "$sudo" = 1 ] && sudo -n stat -Lc %d:%i "/proc/$pid/exe" 2>/dev/null; }; }
owner() { sed -n 's/^Uid:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null; }
[ "$(stamp "$pid")" = "$start" ] || { echo "moved start time"; exit 0; }
[ -z "$exe" ] || [ "$(ino)" = "$exe" ] || { echo "moved executable"; exit 0; }
[ "$(owner)" = "$uid" ] || { echo "moved user"; exit 0; }
if [ "$me" = 0 ] || [ "$me" = "$uid" ]; then
  kill -"$signal" "$pid" && echo sent
elif [ "$sudo" = 1 ]; then
  timeout 10 sudo -n kill -"$signal" "$pid" && echo sent
else
  echo "denied"
fi
