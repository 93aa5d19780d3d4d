# Says "have" when the release is complete; when it is not, "free BYTES INODES" and what
# is here that makes the way shorter.
say() { printf '%s %s\n' "$1" "$2"; }
enter
command -v sha256sum >/dev/null 2>&1 || command -v openssl >/dev/null 2>&1 || die FD-HOST-TOOL sha256sum
locked
r=releases/$id
[ -L "$r" ] && die FD-PLANTED "$path/$r is a symbolic link"
if [ -f "$r/.flipdeploy-release" ] && [ -e "$r/$entry" ]; then
  read -r h rest <"$r/.flipdeploy-release"
  unlock
  if [ "$kind" = file ]; then sum "$r/$entry"; h=$sum; fi
  [ "$h" = "$hash" ] && { fsync releases; echo have; exit 0; } # the run that brought it may not have seen that
fi
# Temps of earlier runs: behind the fence nothing of theirs can become a release.
for t in releases/.stage-*; do
  of=${t#releases/.stage-}; of=${of%%-*}
  case $of in ''|*[!0-9]*) continue ;; esac
  [ "$of" -lt "$epoch" ] && [ ! -L "$t" ] && discard "$t"
done
for t in releases/.stage-* releases/.gone-*; do
  [ -d "$t" ] && [ ! -L "$t" ] && [ -n "$(find "$t" -maxdepth 0 -mtime +0 2>/dev/null)" ] && discard "$t"
done
room releases
say free "$bytes $inodes"
say host "$(uname -sm)"
tools gzip zstd curl
[ "$kind" = file ] && [ -n "$helper" ] || exit 0
# What current points at first: it is what runs, and most alike.
c=$(readlink current)
all=$(ls -1t releases/*/.flipdeploy-release 2>/dev/null)
lines
for m in ${c:+"releases/${c##*/}/.flipdeploy-release"} $all; do
  r=${m%/.flipdeploy-release}
  [ "$r" != "releases/$id" ] && [ ! -L "$r" ] && [ -f "$m" ] && [ -f "$r/$entry" ] && [ ! -L "$r/$entry" ] || continue
  IFS=' ' read -r h size k <"$m"
  case $k in file|adopted) say old "${r#releases/} $h" ;; esac
done
words
[ -O .flipdeploy ] || echo shut
h=.flipdeploy/apply-$helper
[ -O .flipdeploy ] && [ ! -L "$h" ] && [ -f "$h" ] && [ -O "$h" ] && echo helper
[ -z "$interp" ] || [ -e "$interp" ] || say lacks "$interp"
exit 0
