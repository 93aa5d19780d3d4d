# tools says which of the programs are here; and wget where there is no curl, and it is GNU's
# first: busybox's takes any certificate, Wget2 unpacks what a server calls packed.
tools() {
  for x in "$@"; do command -v "$x" >/dev/null 2>&1 && say tool "$x"; done
  command -v curl >/dev/null 2>&1 && return
  case $(wget --version 2>/dev/null </dev/null) in "GNU Wget "*) say tool wget ;; esac
}
