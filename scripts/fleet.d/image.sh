# The image of the zoo's hosts: the base, and over it what the systems that take
# releases over need from Debian and npm. Its name is a hash of this file.
# Sourced by scripts/fleet.

ZOO_PACKAGES="nodejs gunicorn unicorn puma uwsgi uwsgi-plugin-python3 libserver-starter-perl"
ZOO_PM2=7.0.4

# image prints what hosts are overlays of: the base, or with FLEET_IMAGE=zoo a layer
# with the zoo's packages over it.
image() {
	local base layer
	base=$(base)
	[ "${FLEET_IMAGE:-}" = zoo ] || { echo "$base" && return; }
	layer=$FLEET_CACHE/zoo-$({ base_id; cat "$PARTS/image.sh"; } | sha256sum | cut -c1-12)
	[ -d "$layer" ] || build_zoo "$layer" "$base" >&2
	echo "$layer:$base"
}

build_zoo() {
	local layer=$1 tmp
	tmp=$(mktemp -d "$FLEET_CACHE/.zoo.XXXXXX")
	mkdir "$tmp/upper" "$tmp/work" "$tmp/root"
	chmod 755 "$tmp/upper"
	say "building the zoo's image, once (about 100 s)"
	mount -t overlay zoo -o "lowerdir=$2,upperdir=$tmp/upper,workdir=$tmp/work" "$tmp/root"
	if ! (furnish_zoo "$tmp/root") >"$tmp/log" 2>&1; then
		tail -n 20 "$tmp/log"
		umount "$tmp/root" && rm -rf --one-file-system "$tmp"
		die "the zoo's image: see above"
	fi
	umount "$tmp/root"
	mv -T "$tmp/upper" "$layer" 2>/dev/null || true
	rm -rf --one-file-system "$tmp"
	[ -d "$layer" ] || die "the zoo's image: rename to $layer"
}

# furnish_zoo leaves no trace of where the packages came from. That there is no pm2
# where npm cannot get it is a row of the zoo's table, not a fault.
furnish_zoo() {
	set -e
	local root=$1
	apt-get -q update
	# shellcheck disable=SC2086 # a list of names
	apt_in "$root" $ZOO_PACKAGES
	npm install --no-audit --no-fund --global --prefix "$root/usr/local" "pm2@$ZOO_PM2" || echo "no pm2"
	chroot "$root" systemctl disable uwsgi puma unicorn 2>/dev/null || true
}

# apt_in has this machine's apt bring packages, with what they need, and the image's
# own dpkg install them.
apt_in() {
	local root=$1 debs=$1/var/cache/apt/archives
	shift
	mkdir -p "$debs/partial" "$root/run/lock"
	apt-get -qy --no-install-recommends --download-only -o "Dir::State::status=$root/var/lib/dpkg/status" \
		-o "Dir::Cache::archives=$debs" -o Debug::NoLocking=1 install "$@"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod 755 "$root/usr/sbin/policy-rc.d"
	DEBIAN_FRONTEND=noninteractive chroot "$root" sh -c 'dpkg --unpack /var/cache/apt/archives/*.deb && dpkg --configure -a'
	rm -rf "$root/usr/sbin/policy-rc.d" "$debs"/*.deb "$root/run/lock"
}
