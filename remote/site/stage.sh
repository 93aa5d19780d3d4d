# Receives size bytes of stdin as release id. Whatever cuts this short, nothing
# stands under the release's name until all of it was compared.
enter
command -v sha256sum >/dev/null 2>&1 || command -v openssl >/dev/null 2>&1 || die FD-HOST-TOOL sha256sum
t=$(umask 077; mktemp -d releases/.stage-XXXXXXXX 2>&1) || case $t in
  *"No space"*|*quota*) die FD-NO-SPACE "$t" ;;
  *) die FD-APP-PATH "$t" ;;
esac
trap 'rm -rf -- "$t"' EXIT
trap 'exit 64' HUP INT TERM PIPE
failed() {
  case $1 in
    *"No space"*|*quota*) die FD-NO-SPACE "$1" ;;
    *) die "$2" "$1" ;;
  esac
}
r=$t/release
err=$(printf '#!/bin/sh\nexit 0\n' 2>&1 >"$t/probe") && chmod 0700 "$t/probe" || failed "$err" FD-STAGE-WRITE
"$t/probe" 2>/dev/null || die FD-NOEXEC "$path"
case $kind in
  file) blob=$r/$entry; mkdir -p "${blob%/*}" ;;
  *) blob=$t/archive; mkdir "$r" ;;
esac || die FD-STAGE-WRITE "$r cannot be made"
err=$(head -c "$size" 2>&1 >"$blob") || failed "$err" FD-STAGE-WRITE
got=$(wc -c <"$blob")
[ "$got" -eq "$size" ] || die FD-STAGE-SHORT "$((got)) of $size bytes came"
got=$(sum <"$blob")
[ "$got" = "$hash" ] || die FD-STAGE-SHA "$got"
case $kind in
  file) chmod 0755 "$blob" ;;
  tar) err=$(tar -xpof "$blob" -C "$r" 2>&1) || failed "$err" FD-STAGE-UNPACK; rm -f "$blob" ;;
  targz) err=$(tar -xzpof "$blob" -C "$r" 2>&1) || failed "$err" FD-STAGE-UNPACK; rm -f "$blob" ;;
esac
runnable "$r/$entry" || die FD-STAGE-ENTRY "$entry"
err=$(printf '%s %s %s\n' "$hash" "$size" "$kind" 2>&1 >"$r/.flipdeploy-release") || failed "$err" FD-STAGE-WRITE
chmod 0755 "$r"
if [ "$kind" = file ]; then fsync "$blob" "$r/.flipdeploy-release" "$r"
else sync -f "$r" 2>/dev/null || sync; fi
locked
final=releases/$id
[ -L "$final" ] && die FD-PLANTED "$path/$final is a symbolic link"
if [ -e "$final" ]; then
  # Damaged, or left by another tool: never below the feet of what may run.
  [ "$(readlink current)" = "$final" ] && die FD-STAGE-DAMAGED "$id"
  mv -T "$final" "$t/old" || exit
fi
# A crash here leaves no release of this name, or all of it.
mv -T "$r" "$final" || exit
fsync releases
echo staged
