# Points current, and with replace the binary too, at release id; "" at nothing.
enter
locked
if [ -e current ] && [ ! -L current ]; then die FD-CURRENT "$path/current"; fi
if [ -z "$id" ]; then
  if [ "$install" = replace ] && [ "$binary" -ef "current/$entry" ]; then rm -f -- "$binary"; fi
  rm -f current && fsync . && [ ! -e current ] && [ ! -L current ]
  exit
fi
r=releases/$id
[ -f "$r/$entry" ] && [ ! -L "$r" ] || die FD-RELEASE-MISSING "$id"
t=$(mktemp -d .flipdeploy/flip.XXXXXXXX) || exit
trap 'rm -rf -- "$t"' EXIT
ln -s "$r" "$t/current" && mv -fT "$t/current" current || exit
# A crash here leaves current at the new release and the binary at the old one:
# the next flip, to either, sets both.
if [ "$install" = replace ] && [ ! "$binary" -ef "$r/$entry" ]; then
  [ -d "$binary" ] && die FD-REPLACE "$path/$binary is a directory"
  err=$(ln "$r/$entry" "$t/binary" 2>&1 && mv -fT "$t/binary" "$binary" 2>&1) || die FD-REPLACE "$err"
  d=.; case $binary in */*) d=${binary%/*} ;; esac
  fsync "$d"
fi
fsync .
[ "$(readlink current)" = "$r" ] || die FD-FLIP-READBACK "current -> $(readlink current)"
if [ "$install" = replace ]; then
  [ "$(sum <"$binary")" = "$(sum <"$r/$entry")" ] || die FD-FLIP-READBACK "$binary"
fi
exit 0
