# Receives size bytes as release id: stdin has them as they are, packed, as a patch to the
# release old, or the address to fetch them from. With parts, other sessions bring them, and
# stdin says "all" at its end when all of them are here, but for what this machine takes to write them.
# Whatever cuts this short, nothing stands under the release's name until all of it was
# compared.
enter
command -v sha256sum >/dev/null 2>&1 || command -v openssl >/dev/null 2>&1 || die FD-HOST-TOOL sha256sum
failed() {
  case $1 in
    *"No space"*|*quota*) die FD-NO-SPACE "$1" ;;
    *) die "$2" "$1" ;;
  esac
}
# Sessions that bring parts know the directory by its name, which nothing has had before.
t=releases/.stage-$epoch-$temp r=$t/release
err=$(umask 077; mkdir "$t" "$r" 2>&1) || { rmdir -- "$t" 2>/dev/null; failed "${err%%"$nl"*}" FD-APP-PATH; }
trap 'discard "$t"' EXIT
trap 'exit 64' HUP INT TERM PIPE
case $kind,$entry in
  file,*/*) blob=$r/$entry; mkdir -p "${blob%/*}" || die FD-STAGE-WRITE "$r cannot be made" ;;
  file,*) blob=$r/$entry ;;
  *) blob=$t/archive ;;
esac
# What comes overwrites a program that does nothing: here programs may run, or not. A busybox's
# cp puts another file in its place.
err=$(printf '#!/bin/sh\nexit 0\n' 2>&1 >"$blob") && chmod 0755 "$blob" "$r" || failed "$err" FD-STAGE-WRITE
"$blob" 2>/dev/null || die FD-NOEXEC "$path"
# fill FILE N COMMAND writes to the file what the command gives, and ends it not far behind N
# bytes. A head would copy all of them once more.
fill() {
  to=$1 most=$2
  shift 2
  err=$(trap '' XFSZ; ulimit -f $((most / 512 + 1)) 2>/dev/null; exec "$@" 2>&1 >"$to") || failed "$err" FD-STAGE-WRITE
}
# whole FILE N compares its size.
whole() {
  got=$(wc -c <"$1")
  [ "$got" -eq "$2" ] || die FD-STAGE-SHORT "$((got)) of $2 bytes came"
}
# helped finds the program that applies patches, or unpacks it. It runs only while its
# sha256 is the one that the runner knows; a torn one makes room for a new one.
helped() {
  apply=.flipdeploy/apply-$helper
  if [ "$hsize" -gt 0 ]; then
    whole "$t/load" "$n"
    apply=$t/apply
    err=$(head -c "$hsize" "$t/load" | gzip -dc 2>&1 >"$apply") || failed "$err" FD-DELTA
    chmod 0700 "$apply"
  fi
  [ ! -L "$apply" ] && [ -f "$apply" ] && [ -O "$apply" ] || die FD-DELTA "the program that applies it is gone"
  sum "$apply" && [ "$sum" = "$helper" ] || { rm -f -- "$apply"; die FD-DELTA "the program that applies it has another sha256"; }
}
# patched receives program and patch in one piece: a head may take more from a pipe than
# it gives.
patched() {
  n=$((hsize + psize))
  fill "$t/load" "$n" cat
  helped
  patch=$t/load
  if [ "$hsize" -gt 0 ]; then
    patch=$t/patch
    err=$(tail -c "$psize" "$t/load" 2>&1 >"$patch") || failed "$err" FD-DELTA
  fi
  b=releases/$old/$entry
  [ ! -L "releases/$old" ] && [ ! -L "$b" ] && [ -f "$b" ] || die FD-DELTA "release $old is gone"
  err=$("$apply" apply-patch "$b" "$patch" "$blob" "$size" "$blobhash" 2>&1) || { whole "$t/load" "$n"; die FD-DELTA "$err"; }
  [ "$err" = "$blobhash" ] || die FD-DELTA "the program that applies it did not say what it made"
}
receive() {
  case $how in
    plain) fill "$blob" "$size" cat ;;
    gzip|zstd) fill "$blob" "$size" "$how" -dc ;;
    copy) err=$(cp -- "releases/$old/$entry" "$blob" 2>&1 && chmod 0755 "$blob" 2>&1) || failed "$err" FD-STAGE-WRITE ;;
    delta) patched ;;
    pull) fetched ;;
    *) die FD-STAGE-WRITE "$how: no such way" ;;
  esac
}
# gathered waits for the parts, as long as they grow or might, and compares their sizes.
gathered() {
  case $(tail -c 3) in all) tries=3000 ;; *) tries=0 ;; esac
  k=0
  for n in $parts; do
    was= left=$tries
    while
      over=; [ ! -e "$t/over.$k" ] || over=yes
      got=$(wc -c 2>/dev/null <"$t/part.$k") || got=0
      [ "$got" -lt "$n" ] && [ -z "$over" ] && [ "$left" -gt 0 ]
    do
      if [ "$got" = "$was" ]; then left=$((left - 1)); else was=$got left=$tries; fi
      sleep 0.02
    done
    [ "$got" -eq "$n" ] || die FD-STAGE-SHORT "$((got)) of $n bytes of part $k came"
    k=$((k + 1))
  done
}
# unzst unpacks an archive that was fetched. What a zstd that is killed gives may end where a
# file does, which is an end for tar.
unzst() {
  : >"$t/half" || die FD-NO-SPACE "$t cannot be written"
  err=$({ { zstd -dcq "$blob" && rm -f "$t/half"; } | tar -xpof - -C "$r"; } 2>&1) && [ ! -e "$t/half" ] ||
    failed "unpack: $(printf %s "${err:-zstd was ended}" | tr '\n' ' ' | head -c 300)" FD-PULL
}
case $parts in
  '') receive ;;
  *) gathered; cat "$t"/part.? | receive || exit; rm -f -- "$t"/part.? ;;
esac
# What applied a patch has compared both, and this run has compared that program.
if [ "$how" != delta ]; then
  sum "$blob" && [ "$sum" = "$blobhash" ] || { whole "$blob" "$size"; case $how in pull) die FD-PULL-OTHER "its sha256 is $sum" ;; *) die FD-STAGE-SHA "$sum" ;; esac; }
fi
case $kind in
  tar) err=$(tar -xpof "$blob" -C "$r" 2>&1) || failed "$err" FD-STAGE-UNPACK; rm -f "$blob" ;;
  tarzst) unzst; rm -f "$blob" ;;
  targz) err=$(tar -xzpof "$blob" -C "$r" 2>&1) || failed "$err" FD-STAGE-UNPACK; rm -f "$blob" ;;
esac
runnable "$r/$entry" || die FD-STAGE-ENTRY "$entry"
err=$(printf '%s %s %s\n' "$hash" "$size" "$kind" 2>&1 >"$r/.flipdeploy-release") || failed "$err" FD-STAGE-WRITE
if [ "$kind" = file ]; then fsync "$blob" "$r/.flipdeploy-release" "$r"
else chmod 0755 "$r"; fsync -f "$r"; fi
locked
if [ "$how" = delta ] && [ "$hsize" -gt 0 ]; then
  rm -f -- .flipdeploy/apply-* && mv -T "$t/apply" ".flipdeploy/apply-$helper"
fi
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
