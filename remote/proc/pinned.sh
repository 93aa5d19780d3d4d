# Tells the directory of a program that others are run by, where that lies inside a
# release and nothing leads it through current: it would find the same release again.
# Set before: home pid unit starts (the unit's ExecStart)
cd -P -- "$home" 2>/dev/null || exit 0
root=$PWD
cwd=$(readlink "/proc/$pid/cwd" 2>/dev/null)
case $cwd in "$root"/releases/*) ;; *) exit 0 ;; esac
nl='
'
argv=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline")
# A title that the program gave itself says nothing of how it was started.
case ${argv%%"$nl"*} in *' '*) [ -n "$unit" ] || exit 0 ;; esac
env=$nl$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ")
case $env in
  *"${nl}PWD="*) pwd=${env#*"${nl}PWD="} pwd=${pwd%%"$nl"*} ;;
  *) pwd= ;;
esac
case $starts$nl$argv$nl$pwd in *"$root/current"* | *"$home/current"*) exit 0 ;; esac
echo "pinned $cwd"
exit 0
