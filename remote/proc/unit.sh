# Asks systemd for one job, without waiting for its end: the lock that this
# script may run under is held for milliseconds. Set before: verb unit main sudo me
as_root() { if [ "$me" = 0 ] || [ "$sudo" != 1 ]; then timeout 10 "$@"; else timeout 10 sudo -n "$@"; fi; }
if [ -n "$main" ]; then
  now=$(timeout 10 systemctl show -p MainPID -- "$unit") || exit 1
  [ "$now" = "MainPID=$main" ] || { echo "moved main process"; exit 0; }
fi
# A unit that failed too often is not started again before this.
[ "$verb" = reload ] || as_root systemctl reset-failed -- "$unit" 2>/dev/null
as_root systemctl --no-block "$verb" -- "$unit" && echo sent
