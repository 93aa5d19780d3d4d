# Tells by which name the running program would be executed again, and whether the
# name leads through current. Reads only.
# Set before: home binary pid exe sign sudo starts (what the unit would start)
PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
cd -P -- "$home" 2>/dev/null || exit 0
root=$PWD bin=
case $binary in
  '') ;;
  */*) cd -P -- "$root/${binary%/*}" 2>/dev/null && bin=$PWD/${binary##*/} ;;
  *) bin=$root/$binary ;;
esac

# leads walks a name, link by link, and is true once it comes by current or the binary.
leads() {
  at=/ rest=${1#/} links=0
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    case $part in
      ''|.) continue ;;
      ..) at=${at%/*}; at=${at:-/}; continue ;;
    esac
    q=${at%/}/$part
    [ "$q" != "$root/current" ] && [ "$q" != "$bin" ] || return 0
    if [ -L "$q" ]; then
      links=$((links + 1))
      [ $links -lt 40 ] || return 0 # no verdict
      to=$(readlink "$q")
      case $to in /*) at=/ ;; esac
      rest=${to#/}/$rest
    else
      at=$q
    fi
  done
  return 1
}

# judge says how a name stands; one that is not the running program's is no verdict.
judge() {
  case $2 in /*) ;; *) return ;; esac
  if leads "$2"; then echo "$1 through $2"
  elif [ "$2" = "${exe%" (deleted)"}" ] || [ "$(stat -Lc '%i:%s:%Y' -- "$2" 2>/dev/null)" = "$sign" ]; then echo "$1 astray $2"
  fi
}

nl='
'
name=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline")
name=${name%%"$nl"*}
case $name in
  /*) ;;
  */*) # relative to where it was started, if it is still there
    cwd=$(readlink "/proc/$pid/cwd" 2>/dev/null) || { [ "$sudo" = 1 ] && cwd=$(timeout 10 sudo -n readlink "/proc/$pid/cwd" 2>/dev/null); }
    [ -n "$cwd" ] && [ -e "$cwd/$name" ] && name=$cwd/$name ;;
esac
judge argv "$name"
judge unit "$starts"
exit 0
