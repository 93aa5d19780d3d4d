# Tells which tools and rights are there, changes nothing.
# Set before: sudo commandsudo owner me method signals unit start stop command check needs pidfile port,
# and of the unit: files program (that it starts) runsas
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
for t in awk sed grep stat ls cat find head tail id timeout setsid $needs; do
  command -v "$t" >/dev/null 2>&1 || echo "missing $t"
done
user=$(id -un)
echo "user $user"
[ "$me" != 0 ] && [ "$sudo" = 1 ] || exit 0
command -v sudo >/dev/null 2>&1 || { echo "missing sudo"; exit 0; }
timeout 10 sudo -V 2>&1 | grep -m 1 -e '^Sudo version ' -e '^sudo-rs ' # this one on stderr
# sudoers has commands by their full paths, and kill is a builtin as well.
full() {
  at=$1
  IFS=:
  for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin $PATH; do
    case $1 in /*) break ;; esac
    [ -f "$d/$1" ] && [ -x "$d/$1" ] && at=$d/$1 && break
  done
  unset IFS
}
needs() { full "$1" && shift && told="$at $*" && echo "needs $told"; }
# may PATTERN COMMAND… asks sudo; a pattern stands for the last word of what is run.
may() {
  like=$1 && shift
  needs "$@" $like
  timeout 10 sudo -n -l "$@" ${like:+1} >/dev/null 2>&1 || echo "denied $told"
}
if [ "$owner" != "$me" ] && [ "$owner" != -1 ]; then
  [ "$method" != signal ] || for s in $signals; do may '<pid>' kill -"$s"; done
  # These are for looking and for an undo: an app that can be seen without is well.
  needs kill -TERM '<pid>'
  needs kill -KILL '<pid>'
  ! command -v ss >/dev/null 2>&1 || needs ss -ltnpH sport = ":$port"
  needs stat -Lc %d:%i '<exe>'
  needs stat -Lc %d:%i:%s:%Y:%n '<exes>'
  needs ls -ln '<links>'
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
ours() { [ -n "$1" ] && { [ -w "$1" ] || { [ -e "${1%/*}" ] && [ -w "${1%/*}" ]; }; }; }
root() { eval "set -- $1" && full "$1" && ours "$at" && echo "root $1 may be written by $user"; }
[ -z "$start" ] || root "$start"
[ -z "$command" ] || [ "$commandsudo" != 1 ] || root "$command"
[ -z "$stop" ] || root "$stop"
if [ -n "$unit" ]; then
  for f in $files; do
    ! ours "$f" || echo "root $f, a file of unit $unit, may be written by $user"
  done
  case $runsas in
    ''|root) ! ours "$program" || echo "root unit $unit runs $program as root, and $user may replace it" ;;
  esac
fi
exit 0
