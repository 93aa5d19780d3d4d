# Tells which tools and rights are there, changes nothing.
# Set before: sudo owner method signal unit start stop needs
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
for t in awk sed grep stat ls cat find head tail id timeout setsid $needs; do
  command -v "$t" >/dev/null 2>&1 || echo "missing $t"
done
echo "user $(id -un)"
me=$(id -u)
[ "$me" != 0 ] && [ "$sudo" = 1 ] || exit 0
command -v sudo >/dev/null 2>&1 || { echo "missing sudo"; exit 0; }
# sudoers has commands by their full paths
may() {
  timeout 10 sudo -n -l "$@" >/dev/null 2>&1 && return
  at=$(command -v "$1") && shift && set -- "$at" "$@"
  echo "denied $*"
}
[ "$method" != signal ] || [ "$owner" = "$me" ] || [ "$owner" = -1 ] || may kill -"$signal" 1
if [ -n "$unit" ]; then
  [ "$method" = systemd ] && may systemctl --no-block reload -- "$unit"
  [ "$method" = restart ] && may systemctl --no-block restart -- "$unit"
  may systemctl reset-failed -- "$unit"
  [ -n "$start" ] || may systemctl --no-block start -- "$unit"
  [ -n "$stop" ] || may systemctl --no-block stop -- "$unit"
fi
[ -z "$start" ] || eval "may $start"
[ -z "$stop" ] || eval "may $stop"
exit 0
