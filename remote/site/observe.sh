say() { printf '%s\t%s\n' "$1" "$2"; }
# A rename over the binary needs its directory, on the file system of the releases.
replaceable() {
  d=.; case $binary in */*) d=${binary%/*} ;; esac
  at=$path/${d#.}
  if [ ! -d "$d" ]; then say replace "$at does not exist"
  elif [ ! -w "$d" ]; then say replace "$at cannot be written by $(id -un)"
  elif [ -d "$binary" ]; then say replace "$path/$binary is a directory"
  elif [ "$(stat -Lc %d -- "$d")" != "$(stat -Lc %d -- "$([ -d releases ] && echo releases || echo .)")" ]; then
    say replace "$at is on another file system than $path/releases"
  fi
}
say user "$(id -un)"
say arch "$(uname -m)"
tools sha256sum flock timeout tar gzip mktemp zstd curl
at=$path
if cd -P -- "$path" 2>/dev/null; then
  say exists yes
  [ -w . ] && say writable yes
  foreign say foreign
  loose say loose
  kept
  if [ -n "$kept" ]; then say current "releases/$kept"
  elif [ -L current ]; then say current "$(readlink current)"
  elif [ -e current ]; then say current '?'; say nolink current; fi
  if [ "$install" = replace ]; then replaceable; fi
  [ -e .flipdeploy/fence ] && read -r fence <.flipdeploy/fence && say fence "$fence"
  for m in releases/*/.flipdeploy-release; do
    [ -f "$m" ] && read -r hash size kind <"$m" || continue
    id=${m#releases/}
    printf 'release\t%s\t%s\n' "${id%/*}" "$hash"
  done
else
  until cd -P -- "$at" 2>/dev/null; do at=${at%/*}; [ -n "$at" ] || at=/; done
fi
if [ -d releases ]; then cd releases; fi # it may be a mount of its own
room .
say free "$bytes"
say inodes "$inodes"
awk -v p="$(pwd -P)" '
  { m = $2; gsub(/\\040/, " ", m) }
  m == "/" || p == m || index(p, m "/") == 1 { if (length(m) >= l) { l = length(m); o = "," $4 "," } }
  END { if (o ~ /,noexec,/) print "noexec\tyes" }' /proc/mounts 2>/dev/null
exit 0
