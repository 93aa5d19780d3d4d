# What every script of a site begins with. Callers set path, user and epoch. Forks are what
# a script's time is made of: what a function finds it hands to a command, or leaves in a
# variable.
LC_ALL=C; export LC_ALL
umask 022
nl='
'

# lines has what is expanded split at ends of lines alone, and words as ever.
lines() { IFS=$nl; set -f; }
words() { unset IFS; set +f; }

# die CODE TEXT ends the script with an error that the runner understands.
die() { printf '!%s %s\n' "$1" "$2"; exit 64; }

# fsync makes files or directories durable, with -f all of the file system of one. A disk that
# failed must not look like a sync that knows no names, or may not open one: that does all
# that there is.
fsync() {
  err=$(sync "$@" 2>&1) && return
  lines
  for line in $err; do
    case $line in
      "sync: invalid option"*|"sync: unrecognized option"*|"sync: "[uU]"nknown option"*) ;;
      *": Permission denied"|*": Invalid argument"|*" not implemented"|*" not supported") ;;
      "sync: "*": No space left on device"|"sync: "*"uota exceeded") die FD-NO-SPACE "$line" ;;
      "sync: "*) die FD-DISK "$line" ;;
    esac
  done
  words
  sync
}

# discard removes a directory, also what a release locked in it.
discard() { rm -rf -- "$1" 2>/dev/null || { chmod -R u+w -- "$1"; rm -rf -- "$1"; }; }

# loose calls "$@" with each of those directories of the app, and from here to /, in which
# others could plant things.
loose() {
  dirs=/
  for d in .flipdeploy releases; do [ ! -d "$d" ] || dirs=$dirs$nl$PWD/$d; done
  d=$PWD
  while [ "$d" != / ] && [ -n "$d" ]; do dirs=$dirs$nl$d; d=${d%/*}; done
  lines
  for line in $(ls -ldn -- $dirs); do
    mode=${line%% *} name=/${line#* /}
    case $mode,$name in
      *,"$PWD"|*,"$PWD"/*) ;;
      ?????????[tT]*) continue ;; # above the app nothing can be exchanged so
    esac
    case $mode in ?????w*|????????w*) "$@" "$name" ;; esac
  done
  words
}

# foreign calls "$@" with each of the app's directories whose owner could exchange what is in
# them, root being no protection from that.
foreign() {
  for d in "" /.flipdeploy /releases; do
    [ ! -d ".$d" ] || [ -O ".$d" ] || "$@" "$path$d"
  done
}
others() { die FD-APP-PATH "$1 belongs to somebody else than $(id -un)"; }

# enter goes to the app's directory, or tells why that cannot be worked in.
enter() {
  cd -P -- "$path" 2>/dev/null || die FD-APP-PATH "$path does not exist"
  [ -w . ] && [ -x . ] || die FD-APP-PATH "$path cannot be written by $(id -un)"
  for d in .flipdeploy releases; do [ -L "$d" ] && die FD-PLANTED "$path/$d is a symbolic link"; done
  [ -d .flipdeploy ] && [ -d releases ] || mkdir .flipdeploy releases 2>/dev/null
  for d in .flipdeploy releases; do [ -d "$d" ] || die FD-APP-PATH "$path/$d cannot be made"; done
  foreign others
  loose die FD-DIR-WRITABLE
}

# locked waits for the lock of this directory and refuses when a newer run has
# been here, or this one has given the script up. It stays held until the script ends,
# or unlock.
locked() {
  command -v flock >/dev/null 2>&1 || die FD-HOST-TOOL flock
  [ -L .flipdeploy/act.lock ] && die FD-PLANTED "$path/.flipdeploy/act.lock is a symbolic link"
  umask 077 # who may read a file may hold its lock
  command exec 9>>.flipdeploy/act.lock || die FD-APP-PATH "$path/.flipdeploy/act.lock cannot be written by $(id -un)"
  umask 022
  tries=0
  until flock -n 9; do
    tries=$((tries + 1)); [ $tries -lt 100 ] || die FD-HOST-LOCK "$path/.flipdeploy/act.lock"
    sleep 0.1
  done
  fence=0; [ -e .flipdeploy/fence ] && read -r fence <.flipdeploy/fence
  case $fence in ''|*[!0-9]*) die FD-FENCE-BROKEN "$fence" ;; esac
  [ "$fence" -le "$epoch" ] || die FD-FENCED "$fence"
  turn=0; [ -e .flipdeploy/turn ] && read -r of turn <.flipdeploy/turn && [ "$of" != "$epoch" ] && turn=0
  case $turn in ''|*[!0-9]*) die FD-FENCE-BROKEN "$turn" ;; esac
  [ "$turn" -le "${fd_turn:-0}" ] || die FD-GIVEN-UP "$turn"
}
unlock() { exec 9>&-; }

# runnable tells whether file $1 is there to be run: by the kernel, which wants the x
# bit, or by an interpreter that only reads it.
runnable() { [ -f "$1" ] && { [ -x "$1" ] || [ "$(head -c 4 "$1" | tail -c 3)" != ELF ]; }; }

# sum leaves the sha256 of file $1 in sum, "" where it cannot be read. openssl uses the
# processor's own instructions.
sum() {
  sum=
  if command -v openssl >/dev/null 2>&1; then sum=$(openssl dgst -sha256 -r <"$1")
  elif command -v sha256sum >/dev/null 2>&1; then sum=$(sha256sum <"$1")
  else die FD-HOST-TOOL sha256sum; fi
  sum=${sum%% *}
  [ -n "$sum" ]
}

# room leaves in bytes and inodes what is free for us where directory $1 is; inodes are ""
# where nobody counts them.
room() {
  set -- $(stat -f -c '%a %S %c %d' -- "$1")
  [ $# = 4 ] || die FD-HOST-TOOL stat
  bytes=$(($1 * $2)) inodes=$4
  [ "$3" != 0 ] || inodes=
}
