# Says "have" when the release is complete; when it is not, "free BYTES INODES" and what
# is here that makes the way shorter.
enter
command -v sha256sum >/dev/null 2>&1 || command -v openssl >/dev/null 2>&1 || die FD-HOST-TOOL sha256sum
locked
r=releases/$id
[ -L "$r" ] && die FD-PLANTED "$path/$r is a symbolic link"
if [ -f "$r/.flipdeploy-release" ] && [ -e "$r/$entry" ]; then
  read -r h rest <"$r/.flipdeploy-release"
  unlock
  [ "$kind" = file ] && h=$(sum <"$r/$entry")
  [ "$h" = "$hash" ] && { echo have; exit 0; }
fi
# Temps of earlier runs: behind the fence nothing of theirs can become a release.
for t in releases/.stage-*; do
  of=${t#releases/.stage-}; of=${of%%-*}
  case $of in ''|*[!0-9]*) continue ;; esac
  [ "$of" -lt "$epoch" ] && [ ! -L "$t" ] && discard "$t"
done
find releases -maxdepth 1 -type d \( -name '.stage-*' -o -name '.gone-*' \) -mtime +0 2>/dev/null |
  while IFS= read -r t; do discard "$t"; done
echo free $(df -Pk releases | awk 'NR==2 {printf "%.0f", $4 * 1024}') $(df -Pi releases 2>/dev/null | awk 'NR==2 && $2 > 0 {print $4}')
echo host $(uname -sm)
for x in $(tools gzip zstd curl); do echo tool $x; done
[ "$kind" = file ] && [ -n "$helper" ] || exit 0
# What current points at first: it is what runs, and most alike.
c=$(readlink current)
{ [ -n "$c" ] && printf '%s\n' "releases/${c##*/}/.flipdeploy-release"; ls -1t releases/*/.flipdeploy-release 2>/dev/null; } |
  while IFS= read -r m; do
    r=${m%/.flipdeploy-release}
    [ "$r" != "releases/$id" ] && [ ! -L "$r" ] && [ -f "$m" ] && [ -f "$r/$entry" ] && [ ! -L "$r/$entry" ] || continue
    read -r h size k <"$m"
    case $k in file|adopted) printf 'old %s %s\n' "${r#releases/}" "$h" ;; esac
  done
[ -O .flipdeploy ] || echo shut
h=.flipdeploy/apply-$helper
[ -O .flipdeploy ] && [ ! -L "$h" ] && [ -f "$h" ] && [ -O "$h" ] && echo helper
[ -z "$interp" ] || [ -e "$interp" ] || printf 'lacks %s\n' "$interp"
exit 0
