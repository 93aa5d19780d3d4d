# Prints what this machine knows of the app's processes, a fact a line. Reads only.
# Set before: releases prefix suffix unit props pidfile port address sudo known log notes
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
me=$(id -u)
root=$(cd "$releases" 2>/dev/null && pwd -P) || root=$releases
R=$root/
export R
echo "now $(date +%s)"
echo "me $me"
echo "root $root"
[ -d /proc/1 ] || echo "hidepid"

# Each command here costs the host a process; what the shell can do itself, it does.
plain() { "$@" 2>/dev/null; }
priv() { [ "$sudo" = 1 ] && [ "$me" != 0 ] && timeout 10 sudo -n "$@" 2>/dev/null; }

seeds=$known
if [ -n "$unit" ]; then
  group=
  show=$(timeout 10 systemctl show -p "$props" -- "$unit" 2>/dev/null)
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
      members=$(find "$d$group" -name cgroup.procs -exec cat {} + 2>/dev/null | tr '\n' ' ')
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

# Who listens on the port: process ids, and "hidden" for a socket whose processes
# we may not see.
sockets() { "$1" ss -ltnpH "sport = :$port" | A=$address awk '
  { a = $4; sub(/:[0-9]+$/, "", a); sub(/%.*$/, "", a); gsub(/[][]/, "", a); sub(/^::ffff:/, "", a) }
  !(ENVIRON["A"] == "" || a == ENVIRON["A"] || a == "*" || a == "::" || a == "0.0.0.0") { next }
  !/users:/ { if (!h++) print "hidden"; next }
  { t = $0
    while (match(t, /,pid=[0-9]+,fd=/)) {
      p = substr(t, RSTART + 5, RLENGTH - 9); t = substr(t, RSTART + RLENGTH)
      if (!seen[p]++) print p
    } }'; }
with_ss() {
  s=$(sockets plain)
  case $s in *hidden*) p=$(sockets priv) && [ -n "$p" ] && s=$p ;; esac
  [ -z "$s" ] || printf '%s\n' "$s"
}
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
if command -v ss >/dev/null 2>&1; then found=$(with_ss); else found=$(without_ss); fi
for p in $found; do
  echo "listen $p"
  [ "$p" = hidden ] || seeds="$seeds $p"
done

# Programs that run out of the releases.
seeds="$seeds $(plain ls -ldn /proc/[0-9]*/exe | awk '
  i = index($0, " -> " ENVIRON["R"]) { n = split(substr($0, 1, i-1), w, "/"); print w[n-1] }')"

# Of all processes those named above, with all that descend from them. Fields
# of stat are counted behind the last ")": a command's name may hold anything.
table=$(cat /proc/[0-9]*/stat 2>/dev/null | S=$seeds awk '
  { p = $1; sub(/^.*\) /, ""); parent[p] = $2; line[p] = p " " $2 " " $20 " " $1 " " $9 }
  END {
    n = split(ENVIRON["S"], s)
    for (i = 1; i <= n; i++) if (s[i] > 1) ours[s[i]] = 1
    do { more = 0
      for (p in parent) if (!(p in ours) && parent[p] in ours) { ours[p] = 1; more = 1 }
    } while (more)
    for (p in ours) if (p in line) print line[p]
  }')
pids=
while read -r p parent start state faults; do
  [ -n "$p" ] || continue
  echo "proc $p $parent $start $state $faults"
  [ "$state" = Z ] || pids="$pids $p"
done <<TABLE
$table
TABLE

# What runs in them: executable, its inode, directory, releases with a file open or
# mapped; who they run as, and what they do about signals.
inodes_of() { how=$1; shift; for p; do set -- "$@" "/proc/$p/exe"; shift; done; $how stat -Lc 'ino %d:%i %n' "$@"; }
links_of() { how=$1; shift; for p; do set -- "$@" "/proc/$p/exe" "/proc/$p/cwd" "/proc/$p/fd/"; shift; done; $how ls -ln "$@"; }
maps_of() { how=$1; shift; for p; do set -- "$@" "/proc/$p/maps"; shift; done; $how grep -HF " $R" "$@"; }
status_of() { for p; do set -- "$@" "/proc/$p/status"; shift; done; plain grep -HE '^(Uid|SigIgn|SigCgt):' "$@"; }
told() { awk '
  function under(p, t) {
    if (index(t, ENVIRON["R"]) != 1) return
    t = substr(t, length(ENVIRON["R"]) + 1); sub(/\/.*$/, "", t); sub(/ \(deleted\)$/, "", t)
    if (t != "" && !((p, t) in seen)) { seen[p, t] = 1; print "in " p " " t }
  }
  /^ino [0-9]+:[0-9]+ \/proc\/[0-9]+\/exe$/ { split($3, a, "/"); print "ino " a[3] " " $2; next }
  /^\/proc\/[0-9]+\/fd\/:$/ { split($0, a, "/"); fd = a[3]; next }
  /^\/proc\/[0-9]+\/status:/ { split($0, a, /[\/:\t]/); print "status " a[3] " " a[5] " " a[7]; next }
  /^\/proc\/[0-9]+\/maps:/ { split($1, a, "/"); under(a[3], substr($0, index($0, " " ENVIRON["R"]) + 1)); next }
  i = index($0, " -> ") {
    t = substr($0, i + 4); n = split(substr($0, 1, i-1), w, " "); split(w[n], a, "/")
    if (a[4] == "exe") { print "exe " a[3] " " t; next }
    under(a[4] == "cwd" ? a[3] : fd, t)
  }'; }
if [ -n "$pids" ]; then
  light=$(inodes_of plain $pids) dark=
  for p in $pids; do
    case $light in *" /proc/$p/exe"*) ;; *) dark="$dark $p" ;; esac
  done
  {
    printf '%s\n' "$light"
    links_of plain $pids
    maps_of plain $pids
    status_of $pids
    [ -z "$dark" ] || { inodes_of priv $dark; links_of priv $dark; maps_of priv $dark; }
  } | told
fi
plain stat -Lc '%d:%i %n' "$prefix"*"$suffix" | sed -n 's/^[0-9]/entry &/p'
[ -z "$log" ] || echo "log $(plain stat -Lc %s "$log")"
[ ! -s "$notes" ] || echo "command $(tail -n 1 "$notes" 2>/dev/null)"
echo end
