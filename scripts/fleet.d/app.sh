# The app that the hosts run, and the tools that watch it.
# Sourced by scripts/fleet.

# do_build_app writes the shop, linked as VERSION and MODE, to OUT; with `big` it
# weighs about 20 MB.
do_build_app() {
	local out=$1 version=$2 mode=${3:-ok} tags=${4:-}
	mkdir -p "$(dirname "$out")"
	out=$(realpath "$out")
	(cd "$TREE/testdata/apps" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags "$tags" -o "$out" \
		-ldflags "-X main.version=$version -X main.mode=$mode" ./shop)
}

# do_tools builds load and oracle into the fleet's bin directory.
do_tools() {
	need_up
	mkdir -p "$DIR/bin"
	(cd "$TREE" && CGO_ENABLED=0 go build -trimpath -o "$DIR/bin/" ./scripts/load ./scripts/oracle)
}

# do_seed has every host run VERSION without flipdeploy, and returns once every
# balancer sends to all of them. Hosts may be named; default all.
do_seed() {
	local version=$1 mode=${2:-ok} file id host
	need_up
	shift $(($# < 2 ? $# : 2))
	# shellcheck disable=SC2046 # names
	[ $# -gt 0 ] || set -- $(web_hosts)
	file=$DIR/apps/$version-$mode/shop
	do_build_app "$file" "$version" "$mode"
	id=$version-$(sha256sum "$file" | cut -c1-8)
	for host in "$@"; do
		known "$host"
		install_release "$(root_of "$host")/srv/shop" "$id" "$file"
		do_exec "$host" systemctl restart shop
	done
	[ "$mode" != ok ] || await_serving "$@"
	echo "$id"
}

# do_byhand empties every host and has it run VERSION as a person installed it: by a
# link, all of it root's, or as one binary that the unit starts by its own name.
do_byhand() {
	local version=$1 how=${2:-} file host root unit
	need_up
	file=$DIR/apps/$version-ok/shop
	[ "$version" = off ] || do_build_app "$file" "$version" ok
	for host in $(web_hosts); do
		root=$(root_of "$host")
		unit=$root/etc/systemd/system/shop.service.d
		do_exec "$host" sh -c 'systemctl stop shop; rm -rf /srv/shop/* /srv/shop/.flipdeploy'
		rm -rf "$unit"
		case $version-$how in
		off-*) ;;
		*-link)
			install -D -m 755 "$file" "$root/srv/shop/builds/2026-10-01/shop"
			echo "made by hand" >"$root/srv/shop/builds/2026-10-01/NOTES"
			ln -s /srv/shop/builds/2026-10-01/ "$root/srv/shop/current"
			;;
		*-binary)
			install -d -o 1000 -g 1000 "$root/srv/shop/bin"
			install -o 1000 -g 1000 -m 755 "$file" "$root/srv/shop/bin/shop"
			mkdir -p "$unit"
			printf '[Unit]\nConditionPathExists=\nConditionPathExists=/srv/shop/bin/shop\n[Service]\nExecStart=\nExecStart=%s\n' \
				"$(sed -n 's|^ExecStart=/srv/shop/current|/srv/shop/bin|p' "$PARTS/shop.service")" >"$unit/byhand.conf"
			;;
		*) usage >&2 && exit 2 ;;
		esac
		do_exec "$host" systemctl daemon-reload
		[ "$version" = off ] || do_exec "$host" systemctl start shop
	done
	# shellcheck disable=SC2046 # names
	[ "$version" = off ] || await_serving $(web_hosts)
}

install_release() {
	local app=$1 id=$2
	install -d -o 1000 -g 1000 "$app/releases" "$app/releases/$id"
	install -o 1000 -g 1000 -m 755 "$3" "$app/releases/$id/.shop.new"
	mv -f "$app/releases/$id/.shop.new" "$app/releases/$id/shop"
	ln -sfn "releases/$id" "$app/.current.new"
	chown -h 1000:1000 "$app/.current.new"
	mv -fT "$app/.current.new" "$app/current"
}

# await_serving returns once every balancer has every host named up and in rotation.
await_serving() {
	local edge deadline=$((SECONDS + 20))
	for edge in $(edges); do
		[ ! -e "$(root_of "$edge")/etc/nginx/conf.d/shop.conf" ] || continue # nginx asks its hosts nothing
		until [ "$(serving "$edge" "$@")" = $# ]; do
			[ "$SECONDS" -lt "$deadline" ] || die "$edge: $(serving "$edge" "$@") of $# hosts serve after 20 s"
			sleep 0.1
		done
	done
}

serving() {
	local edge=$1
	shift
	in_operator bash -c 'exec 3<>"/dev/tcp/$0/9999" && echo "show servers state shop" >&3 && timeout 2 cat <&3' \
		"$(ip_of "$edge")" | awk -v want=" $* " \
		'index(want, " " $4 " ") && $6 == 2 && ($7 == 0 || $7 == 4) && $8 > 0 { n++ } END { print n + 0 }'
}
