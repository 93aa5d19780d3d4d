# Prints what this machine knows of the app's processes, a fact a line. Reads only.
# Set before: releases prefix suffix unit props pidfile pidcommand port address sudo known log notes tell
#
# A look costs the host what its processes cost: what the shell can read itself, it
# reads, and one awk does the rest.
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
me=
while read -r word _ id _; do
  case $word in Uid:) me=$id; break ;; esac
done 2>/dev/null </proc/self/status
[ -n "$me" ] || me=$(id -u)
root=$releases
cd -P "$releases" 2>/dev/null && root=$PWD
cd /
echo "me $me"
echo "root $root"
for f in "$root"/adopted-*/.flipdeploy-found; do # what was found, and kept as a release
  [ -r "$f" ] && read -r sign <"$f" && f=${f%/*} && echo "adopted $sign ${f##*/}"
done
[ -d /proc/1 ] || echo "hidepid"

plain() { "$@" 2>/dev/null; }
priv() { [ "$sudo" = 1 ] && [ "$me" != 0 ] && timeout 10 sudo -n "$@" 2>/dev/null; }

seeds=$known
d=${notes%/*}
if [ -r "$d/asked" ] && read -r line <"$d/asked"; then # what an app was asked for last, and who served then
  echo "asked $line"
  for w in $line; do
    case $w in [0-9]*:*) seeds="$seeds ${w%%:*}" ;; esac
  done
fi
if [ -r "$d/command" ] && read -r p line <"$d/command"; then
  echo "ran $p $line"
  seeds="$seeds $p"
fi
if [ -n "$unit" ]; then
  group=
  show=$(SYSTEMD_BUS_TIMEOUT=10 systemctl show -p "$props" -- "$unit" 2>/dev/null)
  while IFS= read -r line; do
    case $line in
      [A-Za-z]*) printf 'unit %s\n' "$line" ;;
    esac
    case $line in
      MainPID=*|ControlPID=*) seeds="$seeds ${line#*=}" ;;
      ControlGroup=*) group=${line#*=} ;;
    esac
  done <<SHOW
$show
SHOW
  for d in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    case $group in ''|/) break ;; esac
    [ -r "$d$group/cgroup.procs" ] || continue
    members=
    set -- "$d$group"/*/
    if [ -d "$1" ]; then
      for p in $(find "$d$group" -name cgroup.procs -exec cat {} + 2>/dev/null); do members="$members$p "; done
    else
      while read -r p; do members="$members$p "; done <"$d$group/cgroup.procs"
    fi
    echo "group $members"
    seeds="$seeds $members"
    break
  done
fi

if [ -n "$pidfile" ]; then
  named=
  [ -r "$pidfile" ] && read -r named <"$pidfile" 2>/dev/null
  case $named in
    ''|*[!0-9]*|???????????*)
      # tableflip writes its pid file for its own user only
      named=$(plain grep -m 1 -o '[0-9]*' "$pidfile" || priv grep -m 1 -o '[0-9]*' "$pidfile")
      named=$(printf '%s\n' "$named" | head -n 1 | head -c 10) ;;
  esac
  echo "pidfile $named"
  seeds="$seeds $named"
fi

if [ -n "$pidcommand" ]; then # printed by a program of the user's: numbers only, and not for ever
  named=
  set -f
  for p in $(cd "${releases%/*}" && timeout 10 sh -c "$pidcommand" </dev/null 2>/dev/null | head -c 1000); do
    case $p in 0*|*[!0-9]*|???????????*) ;; *) named="$named$p " ;; esac
  done
  set +f
  echo "named $named"
  seeds="$seeds $named"
fi

owners() { "$1" ls -ln /proc/[0-9]*/fd/ | I=" $inodes " awk '
  /^\/proc\/[0-9]+\/fd\/:$/ { split($0, a, "/"); p = a[3]; next }
  match($0, /socket:\[[0-9]+\]$/) && index(ENVIRON["I"], " " substr($0, RSTART+8, RLENGTH-9) " ") { print p }' | sort -u; }
without_ss() { # a machine without iproute2; the address is not compared here
  inodes=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | P=$(printf ':%04X' "$port") awk '
    $4 == "0A" && substr($2, length($2)-4) == ENVIRON["P"] { printf "%s ", $10 }')
  [ -n "$inodes" ] || return 0
  s=$(owners plain)
  [ -n "$s" ] || s=$(owners priv)
  [ -n "$s" ] && echo "$s" || echo hidden
}

R=$root/ may= link=
[ ! -L "$root/../current" ] || link=$root/../current
[ "$sudo" = 1 ] && [ "$me" != 0 ] && may=1
export R may seeds prefix suffix log port address
{
  # ss -l has the kernel look for closed sockets, too, among all that there are.
  if command -v ss >/dev/null 2>&1; then ss -tnpH state listening "sport = :$port"; else without_ss; fi
  ls -ldn ${link:+"$link"} /proc/[0-9]*/exe
  exec grep -Hs '' /proc/[0-9]*/stat
} 2>/dev/null | awk "$tell"
[ ! -s "$notes" ] || echo "command $(tail -n 1 "$notes" 2>/dev/null)"
echo end
