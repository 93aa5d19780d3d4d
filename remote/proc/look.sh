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

plain() { timeout 10 "$@" 2>/dev/null; }
priv() { [ "$sudo" = 1 ] && [ "$me" != 0 ] && timeout 10 sudo -n "$@" 2>/dev/null; }

seeds=$known
if [ -n "$unit" ]; then
  show=$(plain systemctl show -p "$props" -- "$unit")
  printf '%s\n' "$show" | sed -n 's/^[A-Za-z]/unit &/p'
  seeds="$seeds $(printf '%s\n' "$show" | sed -n 's/^MainPID=//p; s/^ControlPID=//p')"
  group=$(printf '%s\n' "$show" | sed -n 's/^ControlGroup=//p')
  for d in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    case $group in ''|/) break ;; esac
    [ -r "$d$group/cgroup.procs" ] || continue
    members=$(find "$d$group" -name cgroup.procs -exec cat {} + 2>/dev/null | tr '\n' ' ')
    echo "group $members"
    seeds="$seeds $members"
    break
  done
fi

if [ -n "$pidfile" ]; then
  # tableflip writes its pid file for its own user only
  named=$(plain grep -m 1 -o '[0-9]*' "$pidfile" || priv grep -m 1 -o '[0-9]*' "$pidfile")
  named=$(printf '%s\n' "$named" | head -n 1 | head -c 10)
  echo "pidfile $named"
  seeds="$seeds $named"
fi

# Listening sockets on the port, one a line; the last field names processes, when we may see them.
sockets() { "$1" ss -ltnpH "sport = :$port" | A=$address awk '
  { a = $4; sub(/:[0-9]+$/, "", a); sub(/%.*$/, "", a); gsub(/[][]/, "", a); sub(/^::ffff:/, "", a) }
  ENVIRON["A"] == "" || a == ENVIRON["A"] || a == "*" || a == "::" || a == "0.0.0.0"'; }
with_ss() {
  s=$(sockets plain)
  if printf '%s\n' "$s" | grep -v '^$' | grep -qv users:; then
    p=$(sockets priv) && [ -n "$p" ] && s=$p
  fi
  [ -n "$s" ] || return 0
  printf '%s\n' "$s" | grep -qv users: && echo hidden
  printf '%s\n' "$s" | grep -o ',pid=[0-9]*,fd=' | tr -dc '0-9\n' | sort -u
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
for p in $found; do echo "listen $p"; done
seeds="$seeds $(printf '%s\n' "$found" | grep -v hidden)"

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
[ -z "$table" ] || printf '%s\n' "$table" | sed 's/^/proc /'
pids=$(printf '%s\n' "$table" | awk 'NF && $4 != "Z" { print $1 }')

# What runs in them: executable, directory, releases with a file open or mapped.
exes() { how=$1; shift; for p; do set -- "$@" "/proc/$p/exe"; shift; done; $how stat -Lc '%d:%i %n' "$@"; }
files() {
  how=$1; shift
  for p; do set -- "$@" "/proc/$p/exe" "/proc/$p/cwd" "/proc/$p/fd/"; shift; done
  $how ls -ln "$@" | awk '
    function under(p, t) {
      if (index(t, ENVIRON["R"]) != 1) return
      t = substr(t, length(ENVIRON["R"]) + 1); sub(/\/.*$/, "", t); sub(/ \(deleted\)$/, "", t)
      if (t != "" && !((p, t) in seen)) { seen[p, t] = 1; print "in " p " " t }
    }
    /^\/proc\/[0-9]+\/fd\/:$/ { split($0, a, "/"); fd = a[3]; next }
    i = index($0, " -> ") {
      t = substr($0, i + 4); n = split(substr($0, 1, i-1), w, " "); split(w[n], a, "/")
      if (a[4] == "exe") { print "exe " a[3] " " t; next }
      under(a[4] == "cwd" ? a[3] : fd, t)
    }'
}
maps() {
  how=$1; shift
  for p; do set -- "$@" "/proc/$p/maps"; shift; done
  $how grep -HF " $R" "$@" | awk '
    { split($1, a, "/"); t = substr($0, index($0, " " ENVIRON["R"]) + 1 + length(ENVIRON["R"]))
      sub(/\/.*$/, "", t); sub(/ \(deleted\)$/, "", t)
      if (t != "" && !((a[3], t) in seen)) { seen[a[3], t] = 1; print "in " a[3] " " t } }'
}
if [ -n "$pids" ]; then
  light=$(exes plain $pids) dark=
  for p in $pids; do
    case $light in *" /proc/$p/exe"*) ;; *) dark="$dark $p" ;; esac
  done
  { printf '%s\n' "$light"; [ -z "$dark" ] || exes priv $dark; } | sed -n 's|^\([0-9:]*\) /proc/\([0-9]*\)/exe$|ino \2 \1|p'
  files plain $pids; maps plain $pids
  [ -z "$dark" ] || { files priv $dark; maps priv $dark; }
  set -- # who they run as, and what they do about signals
  for p in $pids; do set -- "$@" "/proc/$p/status"; done
  plain grep -HE '^(Uid|SigIgn|SigCgt):' "$@" | awk -F '[/:\t]' '{ print "status " $3 " " $5 " " $7 }'
fi
plain stat -Lc '%d:%i %n' "$prefix"*"$suffix" | sed -n 's/^[0-9]/entry &/p'
[ -z "$log" ] || echo "log $(plain stat -Lc %s "$log")"
[ -z "$notes" ] || echo "command $(tail -n 1 "$notes" 2>/dev/null)"
echo end
