# The zoo: an app for every system that takes releases over (testdata/apps).
# Sourced by scripts/fleet.

APPS=$TREE/testdata/apps

# zoo_row prints a column of a system's row in the zoo's table.
zoo_row() {
	local word
	word=$(awk -v s="$1" -v n="$2" '$1 == s { print $n; exit }' "$APPS/zoo.txt")
	[ -n "$word" ] || die "no such system: $1 (see testdata/apps/zoo.txt)"
	echo "$word"
}

# zoo_house prints the directory with a system's unit and inventory.
zoo_house() {
	local house
	house=$(zoo_row "$1" 3)
	[ "$house" != = ] || house=$1
	echo "$APPS/$house"
}

# do_zoo_build makes the release VERSION of a system's app, with one thing wrong, at OUT.
do_zoo_build() {
	local system=$1 out=$2 version=$3 variant=$4 release mode
	release=$(zoo_row "$system" 2)
	mode=$variant
	case $variant in noexec | garbage) mode=ok ;; esac
	rm -rf "$out" && mkdir -p "$(dirname "$out")"
	out=$(realpath -m "$out")
	case $release in
	go:*) zoo_go "${release#go:}" "" ;;
	gin:*) zoo_go "${release#gin:}" gin ;;
	nginx | haproxy | nginx+program) zoo_conf "${release%+*}" ;;
	*) zoo_files "$release" ;;
	esac
}

# zoo_go leaves a program at out; one that may not be executed comes in a directory,
# where modes are the artifact's own.
zoo_go() {
	local file=$out
	[ "$variant" != noexec ] || { mkdir "$out" && file=$out/shop; }
	(cd "$APPS" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags "$2" -o "$file" \
		-ldflags "-X main.version=$version -X main.mode=$mode" "./$1")
	[ "$variant" != noexec ] || chmod 644 "$file"
	[ "$variant" != garbage ] || garbage "$file"
}

# zoo_files leaves a directory of sources; in a garbage one the program is none.
zoo_files() {
	cp -r "$APPS/$1" "$out"
	echo "$version" >"$out/REVISION"
	echo "$mode" >"$out/MODE"
	[ "$variant" != garbage ] || garbage "$out/$(zoo_program "$1")"
}

zoo_program() { case $1 in wsgi) echo app.py ;; rack) echo config.ru ;; node) echo server.js ;; esac }

# zoo_conf leaves a directory with a proxy's configuration, and where it is the program
# that is deployed, a copy of that.
zoo_conf() {
	local health=200 fault='' conf=$1.conf base
	[ "$1" = nginx ] || conf=$1.cfg
	[ "$mode" != unhealthy ] || health=500
	[ "$mode" != dies ] || fault='no such word'
	mkdir "$out"
	sed "s/@VERSION@/$version/; s/@HEALTH@/$health/; s/@FAULT@/$fault/" "$APPS/$1/$conf" >"$out/$conf"
	if [ "$release" = nginx+program ]; then
		base=$(base)
		install -m 755 "$base/usr/sbin/nginx" "$out/nginx"
		conf=nginx
	fi
	[ "$variant" != noexec ] || chmod 644 "$out/$conf"
	[ "$variant" != garbage ] || garbage "$out/$conf"
}

garbage() { printf 'this was to be a program, and is none\n%0512d\n' 0 >"$1"; }

# do_zoo_house has every host be an empty one of that system: its unit is there, and
# nothing runs.
do_zoo_house() {
	local system=$1 house host root behind=$DIR/bin/behind
	need_up
	house=$(zoo_house "$system")
	mkdir -p "$DIR/bin"
	[ -e "$behind" ] || (cd "$APPS" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$behind" ./behind)
	for host in $(edges); do do_exec "$host" sh -c "$PATIENT_CHECKS"; done
	for host in $(web_hosts); do
		root=$(root_of "$host")
		do_exec "$host" sh -c "$EMPTY_HOST"
		rm -rf "$root"/srv/shop/* "$root/srv/shop/.flipdeploy" "$root/etc/systemd/system/shop.service"
		install -d -o 1000 -g 1000 "$root/srv/shop/shared" "$root/srv/shop/bin"
		[ ! -e "$house/shop.service" ] || install -m 644 "$house/shop.service" "$root/etc/systemd/system/"
		install -m 755 "$behind" "$root/usr/local/bin/behind"
		install -m 644 "$APPS/behind/behind.service" "$root/etc/systemd/system/"
		do_exec "$host" sh -c 'systemctl daemon-reload; systemctl restart behind'
	done
}

# An app may be a unit's or its user's own; all that deploy runs goes.
EMPTY_HOST='systemctl stop shop; systemctl reset-failed shop; pkill -KILL -u deploy; rm -rf /home/deploy/.pm2; true'

# A host of a busy machine that answers a check late is not ill: a check may take longer
# than the time between two, which is HAProxy's limit otherwise.
PATIENT_CHECKS='cd /etc/haproxy && { grep -qs "timeout check" haproxy.cfg ||
	{ sed -i "s/^    timeout connect 2s/&\n    timeout check 2s/" haproxy.cfg && systemctl restart haproxy; }; }'
