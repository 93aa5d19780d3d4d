# tools prints those of the programs that are here; and wget where it is GNU's first: busybox's
# takes any certificate, Wget2 unpacks what a server calls packed.
tools() {
  for x in "$@"; do command -v "$x" >/dev/null 2>&1 && echo "$x"; done
  case $(wget --version 2>/dev/null </dev/null) in "GNU Wget "*) echo wget ;; esac
}
