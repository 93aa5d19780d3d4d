# Tells what of the app that is here can be kept as a release. Wants pid, exe and
# sign of the running program, sign empty where nothing runs.
cd -P -- "$path" 2>/dev/null || exit 0
tell() { printf '%s\t%s\n' "$1" "$2"; }
no() { tell why "$1"; exit 0; }
plain() { [ "$1" = "$(printf %s "$1" | tr -d '[:cntrl:]')" ]; }
keep() { # kind, source, program
  [ -r "$3" ] || no "$3 may not be read by $(id -un)"
  runnable "$3" || no "$3 is no program"
  sum "$3" || no "$3 cannot be read"
  tell "$1" "$2"
  tell hash "$sum"
  tell sign "$(sign "$3")"
  tell bytes "$(($(du -skL -- "$2" | cut -f1) * 1024))"
  exit 0
}
link=
if [ -L current ]; then
  link=$(readlink current)
  plain "$link" || no "current points at a name with control characters"
  tell link "$link"
fi
dir=$(cd -P -- "$path/current" 2>/dev/null && pwd)
[ -n "$dir" ] && [ ! -e "$dir/$entry" ] && tell noentry yes
whole() {
  locked=$(find "$dir/" ! -type l ! -readable 2>/dev/null | head -n 1)
  [ -z "$locked" ] || no "$locked may not be read by $(id -un)"
  keep dir "$dir" "$dir/$entry"
}
file() {
  if [ "$1" = "$path/$binary" ] && [ -L "$1" ]; then
    via=$(readlink "$1")
    plain "$via" || no "$1 points at a name with control characters"
    tell via "$via"
  fi
  keep file "$1" "$1"
}
if [ -z "$sign" ]; then # nothing runs
  if [ "$install" = replace ]; then
    if [ -f "$path/$binary" ]; then file "$path/$binary"; fi
  elif [ -n "$link" ]; then
    [ -f "$dir/$entry" ] || no "current points at $link, and no program $entry is there"
    whole
  fi
  exit 0
fi
exe=${exe%" (deleted)"}
if [ "$install" != replace ] && [ -n "$dir" ]; then
  [ "$(sign "$dir/$entry")" != "$sign" ] || whole
  # Not what current points at: a file alone will do only for an app of one file.
  other=$(find "$dir/" ! -type d ! -path "$dir/$entry" ! -name '.flipdeploy-*' 2>/dev/null | head -n 1)
  [ -z "$other" ] || no "pid $pid runs $exe, which is not the $entry that current points at"
fi
hidden=
for f in "${binary:+$path/$binary}" "$exe" "/proc/$pid/exe"; do
  [ -n "$f" ] && [ "$(sign "$f")" = "$sign" ] || continue
  if [ -r "$f" ]; then file "$f"; fi
  hidden=${hidden:-$f}
done
[ -z "$hidden" ] || no "$hidden, which pid $pid runs, may not be read by $(id -un)"
no "the file that pid $pid runs is gone ($exe), and /proc/$pid/exe may not be read by $(id -un)"
