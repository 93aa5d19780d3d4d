# Keeps the newest keep releases, the protected ones, and what current points at.
enter
locked
all=$(ls -1t releases/*/.flipdeploy-release 2>/dev/null)
n=0
lines
for m in $all; do
  r=${m%/.flipdeploy-release}
  n=$((n + 1))
  [ $n -le "$keep" ] && continue
  [ "$(readlink current)" = "$r" ] && continue
  case " $protect " in *" ${r#releases/} "*) continue ;; esac
  t=$(mktemp -d releases/.gone-XXXXXXXX) || exit
  mv -T "$r" "$t/release" && discard "$t" || exit
  printf '%s\n' "${r#releases/}"
done
exit 0
