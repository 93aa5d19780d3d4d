# This was begun before anybody knew what it is to do: that comes as lines, up to a dot.
while IFS= read -r order; do
  case $order in
    .) break ;;
    [a-z]*=*) eval "$order" ;;
    *) die FD-STAGE-WRITE "the orders are not whole" ;;
  esac
done
[ "$order" = . ] || exit 0
