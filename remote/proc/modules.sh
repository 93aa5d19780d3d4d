# Tells what a Go program was built from and whether it handles signals; nothing of any
# other program. Reads only. Set before: pid exe
LC_ALL=C
export LC_ALL
tab='	'
words="Go buildinf:|os/signal\.Notify|(mod|dep)$tab[A-Za-z0-9][A-Za-z0-9._/~-]*$tab"
f=/proc/$pid/exe
[ -r "$f" ] || f=$exe # it is a file of the releases, which the user may read
[ -r "$f" ] || exit 0
# busybox has no -a, and does not need it
{ grep -aoE "$words" "$f" 2>/dev/null || exec grep -oE "$words" "$f" 2>/dev/null; } |
  awk '!told[$0]++ && n++ < 3000'
