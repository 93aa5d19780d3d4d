# Receives part number $part, $bytes bytes, into the directory of the session that stages.
# It makes none: one that comes late finds nothing to write to.
cd -P -- "$path" 2>/dev/null || die FD-APP-PATH "$path does not exist"
t=releases/.stage-$epoch-$temp
tries=0
until [ -d "$t" ]; do
  tries=$((tries + 1)); [ $tries -lt 500 ] || die FD-STAGE-SHORT "nothing takes part $part"
  sleep 0.02
done
[ ! -L "$t" ] && [ -O "$t" ] || die FD-PLANTED "$path/$t belongs to somebody else"
umask 077
set -C # one that comes twice is refused
err=$(head -c "$bytes" 2>&1 >"$t/part.$part")
s=$?
: >"$t/over.$part" # no more will come
[ $s = 0 ] || die FD-STAGE-WRITE "$err"
