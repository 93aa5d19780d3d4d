# by_curl and by_wget read the address, which is a secret, from their stdin.
by_curl() {
  curl -q -fsSL --globoff --proto "=$scheme" --proto-redir "=$scheme" --max-redirs "$redirects" \
    --connect-timeout 15 --speed-limit 1 --speed-time 30 ${rate:+--limit-rate "$rate"} -K -
}
by_wget() {
  wget --no-config --no-netrc --no-hsts -q -O - -i - --max-redirect=0 --tries=1 --timeout=30 ${rate:+--limit-rate="$rate"} && return
  s=$?
  case $s in
    4) echo "wget: the network failed" ;;
    5) echo "wget: the server's certificate was not taken" ;;
    8) echo "wget: the server refused it, or leads elsewhere" ;;
    *) echo "wget: it ended with $s" ;;
  esac >&2
  return $s
}
# fetched has the host bring the bytes. It says how far it is, and ends when nobody hears
# that any more.
fetched() {
  exec 3<&0 # what runs in the background has no stdin
  { head -c "$ask" | "by_$tool"; echo $? >"$t/ended"; } <&3 2>"$t/said" | head -c "$((size + 1))" >"$blob" 2>/dev/null &
  pull=$!
  trap 'kill "$pull" 2>/dev/null; discard "$t"' EXIT
  n=0 at=0
  until [ -s "$t/ended" ]; do
    if [ $n -lt 10 ]; then sleep 0.1; else sleep 0.5; fi
    n=$((n + 1)) got=$(wc -c 2>/dev/null <"$blob") || got=0
    [ $((got - at)) -le $((size / 200)) ] || { at=$((got)); echo "at $at"; }
  done
  wait "$pull" || { err=$(head -c 65536 /dev/zero 2>&1 >>"$blob"); failed "${err:-$blob could not be written}" FD-STAGE-WRITE; }
  got=$(wc -c <"$blob")
  [ "$got" -le "$size" ] || die FD-PULL-OTHER "more than its $size bytes came"
  [ "$(cat "$t/ended")" -eq 0 ] || die FD-PULL "$(head -n 1 "$t/said" | head -c 300)"
  [ "$got" -eq "$size" ] || die FD-PULL-OTHER "$((got)) bytes came, not $size"
}
