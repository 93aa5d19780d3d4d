# by_curl and by_wget read the address, which is a secret, from their stdin.
by_curl() {
  exec curl -q -fsSL --globoff --proto "=$scheme" --proto-redir "=$scheme" --max-redirs "$redirects" \
    --connect-timeout 15 --speed-limit "$least" --speed-time 30 ${rate:+--limit-rate "$rate"} -K -
}
by_wget() {
  exec wget --no-config --no-netrc --no-hsts -q -O - -i - --max-redirect=0 --tries=1 --timeout=30 ${rate:+--limit-rate="$rate"}
}
# why tells what the tool said, or its exit status $1.
why() {
  case $tool$1 in
    wget4) echo "wget: the network failed" ;;
    wget5) echo "wget: the server's certificate was not taken" ;;
    wget8) echo "wget: the server refused it, or leads elsewhere" ;;
    wget*) echo "wget: it ended with $1" ;;
    *) head -n 1 "$t/said" | head -c 300 ;;
  esac
}
# fetched has the host bring the bytes. It says how far it is, and ends when nobody hears
# that any more.
fetched() {
  exec 3<&0 # what runs in the background has no stdin
  err=$(mkfifo "$t/pipe" "$t/going" 2>&1) || failed "$err" FD-STAGE-WRITE
  "by_$tool" <&3 >"$t/pipe" 2>"$t/said" &
  pull=$!
  trap 'kill "$pull" 2>/dev/null; discard "$t"' EXIT
  { head -c "$((size + 1))" >"$blob" 2>/dev/null; rm -f "$t/going"; } <"$t/pipe" & # a full disk lets that through
  n=0 at=0
  while [ -e "$t/going" ]; do
    if [ $n -lt 10 ]; then sleep 0.1; else sleep 0.5; fi
    n=$((n + 1)) got=$(wc -c 2>/dev/null <"$blob") || got=0
    if [ $((got - at)) -gt $((size / 200)) ] || [ $((n % 20)) = 0 ]; then at=$((got)); echo "at $at"; fi
  done
  wait "$pull"
  s=$?
  got=$(wc -c <"$blob")
  [ "$got" -le "$size" ] || die FD-PULL-OTHER "more than its $size bytes came"
  if [ $s != 0 ]; then
    err=$(head -c 65536 /dev/zero 2>&1 >>"$blob") || failed "$err" FD-STAGE-WRITE
    die FD-PULL "$(why $s)"
  fi
  [ "$got" -eq "$size" ] || die FD-PULL-OTHER "$((got)) bytes came, not $size"
}
