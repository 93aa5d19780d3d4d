# sign tells a file from any other, wherever it is found: as long as a process runs
# it, no other can have its inode. Devices are numbered anew at every boot.
sign() { stat -Lc '%i:%s:%Y' -- "$1" 2>/dev/null; }

# kept leaves in kept the adopted release that stands on the host as it was found, if any.
kept() {
  kept=
  for m in releases/adopted-*/.flipdeploy-found; do
    [ -f "$m" ] || continue
    { IFS= read -r was; IFS= read -r text; } <"$m"
    k=${m%/*}
    [ "$(readlink current)" = "$text" ] || continue
    if [ "$install" = replace ]; then
      [ "$binary" -ef "$k/$entry" ] || [ "$(sign "$binary")" = "$was" ] || continue
    fi
    kept=${k#releases/}
    return
  done
}
