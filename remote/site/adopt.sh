# Keeps what was found as release id. A crash leaves no release of this name, or all
# of it; what is installed is only read.
enter
[ "$(readlink current)" = "$link" ] || die FD-ADOPT "current was changed meanwhile"
t=$(umask 077; mktemp -d "releases/.stage-$epoch-XXXXXXXX" 2>&1) || case $t in
  *"No space"*|*quota*) die FD-NO-SPACE "$t" ;;
  *) die FD-APP-PATH "$t" ;;
esac
trap 'discard "$t"' EXIT
trap 'exit 64' HUP INT TERM PIPE
failed() {
  case $1 in
    *"No space"*|*quota*) die FD-NO-SPACE "$1" ;;
    *) die FD-ADOPT "$1" ;;
  esac
}
r=$t/release
# A link that the program was not started by does not lead back to it.
[ "$install" = replace ] || [ "$kind" = dir ] || [ -z "$link" ] || link=releases/$id
mkdir "$r" || die FD-ADOPT "$r cannot be made"
case $kind in
  dir) err=$(cp -a -- "$source/." "$r" 2>&1) || failed "$err"; rm -f "$r/.flipdeploy-release" ;;
  *)
    case $entry in */*) mkdir -p "$r/${entry%/*}" || die FD-ADOPT "$r cannot be made" ;; esac
    # The binary's own file comes back with all that no copy has: owner, capabilities.
    # Nothing can write to it: it is renamed over, and has no other name.
    if [ "$source" = "$path/$binary" ] && [ "$(stat -c %h -- "$source")" = 1 ] && [ ! -L "$source" ] &&
      ln -- "$source" "$r/$entry" 2>/dev/null; then :
    else err=$(cp -pL -- "$source" "$r/$entry" 2>&1) || failed "$err"; fi ;;
esac
sum "$r/$entry"
[ "$sum" = "$hash" ] || die FD-ADOPT "$source was changed meanwhile"
runnable "$r/$entry" || die FD-STAGE-ENTRY "$entry"
err=$(printf '%s\n%s\n%s\n' "$sign" "$link" "$via" 2>&1 >"$r/.flipdeploy-found") || failed "$err"
err=$(printf '%s %s adopted\n' "$hash" "$size" 2>&1 >"$r/.flipdeploy-release") || failed "$err"
chmod 0755 "$r"
fsync -f "$r"
locked
final=releases/$id
[ -L "$final" ] && die FD-PLANTED "$path/$final is a symbolic link"
if [ -e "$final" ]; then
  # Kept once before, with other files beside the program perhaps: as found now counts.
  mv -T "$final" "$t/old" || exit
fi
mv -T "$r" "$final" || exit
fsync releases
echo adopted
