# Tells which tools and rights are there, changes nothing.
# Set before: sudo commandsudo owner method signal unit start stop command check needs pidfile port
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
for t in awk sed grep stat ls cat find head tail id timeout setsid $needs; do
  command -v "$t" >/dev/null 2>&1 || echo "missing $t"
done
echo "user $(id -un)"
me=$(id -u)
[ "$me" != 0 ] && [ "$sudo" = 1 ] || exit 0
command -v sudo >/dev/null 2>&1 || { echo "missing sudo"; exit 0; }
# sudoers has commands by their full paths, and kill is a builtin as well.
full() (
  IFS=:
  for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin $PATH; do
    case $1 in /*) break ;; esac
    [ -f "$d/$1" ] && [ -x "$d/$1" ] && set -- "$d/$1" && break
  done
  echo "$1"
)
needs() { at=$(full "$1") && shift && told="$at $*" && echo "needs $told"; }
# may PATTERN COMMAND… asks sudo; a pattern stands for the last word of what is run.
may() {
  like=$1 && shift
  needs "$@" $like
  timeout 10 sudo -n -l "$@" ${like:+1} >/dev/null 2>&1 || echo "denied $told"
}
if [ "$owner" != "$me" ] && [ "$owner" != -1 ]; then
  [ "$method" != signal ] || may '<pid>' kill -"$signal"
  # These are for looking and for an undo: an app that can be seen without is well.
  needs kill -TERM '<pid>'
  needs kill -KILL '<pid>'
  ! command -v ss >/dev/null 2>&1 || needs ss -ltnpH "sport = :$port"
  needs stat -Lc '%d:%i' '<proc>'
  needs stat -Lc '%d:%i %s %Y %n' '<proc>'
  needs ls -ln '<proc>'
  [ -z "$pidfile" ] || [ -r "$pidfile" ] || needs grep -m 1 -o '[0-9]*' "$pidfile"
fi
if [ -n "$unit" ]; then
  [ "$method" = systemd ] && may '' systemctl --no-block reload -- "$unit"
  [ "$method" = restart ] && may '' systemctl --no-block restart -- "$unit"
  may '' systemctl reset-failed -- "$unit"
  [ -n "$start" ] || may '' systemctl --no-block start -- "$unit"
  [ -n "$stop" ] || may '' systemctl --no-block stop -- "$unit"
fi
if [ "$commandsudo" = 1 ]; then
  [ -z "$command" ] || eval "may '' $command"
  [ -z "$check" ] || [ "$owner" = "$me" ] || eval "may '' $check"
fi
[ -z "$start" ] || eval "may '' $start"
[ -z "$stop" ] || eval "may '' $stop"

# What the user may write and root then runs is root.
ours() { [ -n "$1" ] && { [ -w "$1" ] || { [ -e "${1%/*}" ] && [ -w "${1%/*}" ]; } || { at=$(readlink -f "$1") && [ -w "$at" ]; }; }; }
program() { eval "set -- $1" && ours "$(full "$1")" && echo "root $1 may be written by $(id -un)"; }
[ -z "$start" ] || program "$start"
[ -z "$command" ] || [ "$commandsudo" != 1 ] || program "$command"
[ -z "$stop" ] || program "$stop"
if [ -n "$unit" ]; then
  show=$(SYSTEMD_BUS_TIMEOUT=10 systemctl show -p User -p FragmentPath -p DropInPaths -p ExecStart -- "$unit" 2>/dev/null)
  prop() { printf '%s\n' "$show" | sed -n "s/^$1=//p" | head -n 1; }
  for f in $(prop FragmentPath) $(prop DropInPaths); do
    ! ours "$f" || echo "root $f, a file of unit $unit, may be written by $(id -un)"
  done
  runs=$(prop ExecStart | sed -n 's/^{ path=\(.*\) ; argv\[\]=.*/\1/p')
  case $(prop User) in
    ''|root) ! ours "$runs" || echo "root unit $unit runs $runs as root, and $(id -un) may replace it" ;;
  esac
fi
exit 0
