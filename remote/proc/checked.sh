# Runs the check that the inventory or the preset asks for before anything is sent, or
# only shows it. Set before: home argv (quoted words) show
# own (1: the main process's command line goes before) pid owner sudo me
cd "$home" 2>/dev/null || exit 1
set -f
set --
nl='
'
if [ "$own" = 1 ]; then
  said=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null)
  case $said in
    'nginx: master process '*)
      # One string, with its title before it; only directives (-g) hold spaces, and end with ;
      said=${said#nginx: master process }
      case $said in
        *' -g '*';'*)
          post=${said##*;} mid=${said#* -g }
          set -- ${said%% -g *} -g "${mid%;*};" $post ;;
        *) set -- $said ;;
      esac ;;
    *) old=$IFS IFS=$nl && set -- $said && IFS=$old ;;
  esac
  [ $# -gt 0 ] || exit 0
fi
eval "set -- \"\$@\" $argv"
if [ -n "$show" ]; then
  printf '%s\n' "$@"
  exit 0
fi
if [ "$owner" != "$me" ] && [ "$me" != 0 ] && [ "$sudo" = 1 ]; then
  set -- sudo -n "$@"
fi
out=$(timeout 20 "$@" </dev/null 2>&1)
echo "ended $?"
printf '%s\n' "$out" | tail -n 20 | tail -c 16384
exit 0
