# Leaves a note of what the app is asked for, before it is: with when that was, as /proc
# counts. Set before: note asked (the file)
[ -d "${asked%/*}" ] || mkdir -p "${asked%/*}" 2>/dev/null
since=$({ read -r s </proc/self/stat; } 2>/dev/null && s=${s##*) } && set -- $s && echo "${20}")
[ -w "$asked" ] || rm -f "$asked" 2>/dev/null
{ echo "$since $note" >"$asked"; } 2>/dev/null
