# Starts a command of the inventory on its own feet: no terminal, none of our
# descriptors (an inherited lock would never be freed), its words in a file.
# Which process that is stands in a file, for whoever ends it when nobody is told.
# Set before: home notes argv (quoted words) rollout
[ -d "${notes%/*}" ] || mkdir -p "${notes%/*}" 2>/dev/null
[ -w "$notes" ] || rm -f "$notes" 2>/dev/null # another user's: what stands there would be taken for ours
{ true >"$notes"; } 2>/dev/null || notes=/dev/null
cd "$home" || exit 1
# What takes itself for a child by these marks would end its parent.
unset $(awk 'BEGIN { for (k in ENVIRON) if (k ~ /^(TABLEFLIP_|LISTEN_(FD|PID)|TEMPORARY_CHILD|ENDLESS_|OVERSEER_)[A-Za-z0-9_]*$/) print k }')
setsid sh -c "$argv; echo exit=\$? \$\$" </dev/null >>"$notes" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
pid=$!
s=
{ read -r s <"/proc/$pid/stat"; } 2>/dev/null # here, where nobody has waited for it
s=${s##*) }
set -- $s
start=${20}
if [ "$notes" != /dev/null ]; then
  ran=${notes%/*}/command
  [ -w "$ran" ] || rm -f "$ran"
  echo "$pid $start $rollout" >"$ran"
fi 2>/dev/null
echo "pid $pid $start"
