# Points current, and with replace the binary too, at release id; "" at nothing. What
# was adopted goes back to as it was found.
enter
locked
app=$PWD
if [ -e current ] && [ ! -L current ]; then die FD-CURRENT "$path/current"; fi
if [ -z "$id" ]; then
  if [ "$install" = replace ] && [ "$binary" -ef "current/$entry" ]; then rm -f -- "$binary"; fi
  rm -f current && fsync . && [ ! -e current ] && [ ! -L current ]
  exit
fi
r=releases/$id
[ -f "$r/$entry" ] && [ ! -L "$r" ] || die FD-RELEASE-MISSING "$id"
d=.; case $binary in */*) d=${binary%/*} ;; esac
same() { sum "$app/$r/$entry" && want=$sum && sum "$1" && [ "$sum" = "$want" ]; }
text=$r via= found=
if [ -f "$r/.flipdeploy-found" ]; then
  { IFS= read -r was; IFS= read -r text; IFS= read -r via; } <"$r/.flipdeploy-found"
  found=1
  # What was found may be gone by now: then to what was kept of it.
  if [ "$install" != replace ] && [ -n "$text" ] && ! same "$text/$entry"; then text=$r; fi
  if [ -n "$via" ] && ! (cd "$d" && same "$via"); then via=; fi
fi
in_place() {
  if [ -z "$found" ]; then [ "$binary" -ef "$r/$entry" ]; return; fi
  [ "$(readlink "$binary")" = "$via" ] && same "$binary"
}
stands() { [ "$(readlink current)" = "$text" ] && { [ "$install" != replace ] || in_place; }; }
if stands && fsync .; then exit 0; fi # nothing to write: no disk is too full for that
t=$(mktemp -d .flipdeploy/flip.XXXXXXXX) || exit
trap 'rm -rf -- "$t"' EXIT
if [ -z "$text" ]; then rm -f current || exit
else ln -s -- "$text" "$t/current" && mv -fT "$t/current" current || exit; fi
# A crash here leaves current at the new release and the binary at the old one:
# the next flip, to either, sets both.
if [ "$install" = replace ] && ! in_place; then
  [ -d "$binary" ] && die FD-REPLACE "$path/$binary is a directory"
  if [ -n "$via" ]; then err=$(ln -s -- "$via" "$t/binary" 2>&1)
  else err=$(ln "$r/$entry" "$t/binary" 2>&1); fi || die FD-REPLACE "$err"
  err=$(mv -fT "$t/binary" "$binary" 2>&1) || die FD-REPLACE "$err"
  fsync "$d"
fi
fsync .
[ "$(readlink current)" = "$text" ] || die FD-FLIP-READBACK "current -> $(readlink current)"
if [ "$install" = replace ]; then same "$binary" || die FD-FLIP-READBACK "$binary"; fi
exit 0
