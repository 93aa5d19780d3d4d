# The base image: one Debian tree that every host is an overlay of. Its name is
# a hash of this file, so a changed recipe is a new image.
# Sourced by scripts/fleet.

TOOLS="debootstrap systemd-container iproute2 util-linux procps socat openssh-client"

PACKAGES=systemd,systemd-sysv,dbus,openssh-server,iproute2,iputils-ping,procps,curl
PACKAGES=$PACKAGES,ca-certificates,sudo,socat,netcat-openbsd,perl-base,python3,zstd,haproxy,nginx-light,fish,tcsh

# need_tools returns once every package of TOOLS is installed.
need_tools() {
	[ "$(id -u)" = 0 ] || die "real hosts need root"
	local missing
	missing=$(missing_tools)
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null || die "not Debian, and missing here: $missing"
	say "installing $missing"
	apt-get -q update >&2
	# shellcheck disable=SC2086 # a list of names
	DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends \
		-o DPkg::Lock::Timeout=300 install $missing >&2
}

missing_tools() {
	local p
	for p in $TOOLS; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$p"
	done
}

suite() { . /etc/os-release && echo "$VERSION_CODENAME"; }

# mirror prints where this machine itself gets Debian from. It is asked at run
# time, so that no file names one.
mirror() {
	# shellcheck disable=SC2016 # apt's variables, not the shell's
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Component: main' |
		awk -v s="$(suite)" '$1 == "Debian" && $2 == s { print $3; exit }'
}

base_id() { { suite; cat "$PARTS/base.sh"; } | sha256sum | cut -c1-12; }

# base prints the path of the base image, building it first where it is missing.
# Two fleets may build at once: the first rename wins.
base() {
	local dir
	dir=$FLEET_CACHE/base-$(base_id)
	[ -d "$dir" ] || build_base "$dir" >&2
	echo "$dir"
}

build_base() {
	local dir=$1 tmp mirror
	mirror=$(mirror)
	[ -n "$mirror" ] || { apt-get -q update && mirror=$(mirror); }
	[ -n "$mirror" ] || die "no Debian $(suite) among this machine's apt sources"
	mkdir -p "$FLEET_CACHE"
	tmp=$(mktemp -d "$FLEET_CACHE/.base.XXXXXX")
	chmod 755 "$tmp"
	say "building the base image, once (about 100 s)"
	debootstrap --variant=minbase --include="$PACKAGES" "$(suite)" "$tmp" "$mirror" >"$tmp.log" 2>&1 ||
		{ tail -n 20 "$tmp.log"; rm -rf --one-file-system "$tmp"; die "debootstrap: see $tmp.log"; }
	furnish_base "$tmp" >>"$tmp.log" 2>&1 || { rm -rf --one-file-system "$tmp"; die "base image: see $tmp.log"; }
	rm -f "$tmp.log"
	mv -T "$tmp" "$dir" 2>/dev/null || rm -rf --one-file-system "$tmp"
	[ -d "$dir" ] || die "base image: rename to $dir"
}

# furnish_base leaves nothing in the image that belongs to one host: no host
# keys, no machine id, no balancer running.
furnish_base() {
	local root=$1
	chroot "$root" useradd -m -u 1000 -U -s /bin/bash -p '*' -G haproxy,systemd-journal deploy
	chroot "$root" systemctl disable haproxy nginx
	chroot "$root" systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
		e2scrub_all.timer e2scrub_reap.service fstrim.timer console-getty.service getty.target \
		systemd-logind.service systemd-timesyncd.service
	rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/cache/apt/archives/*.deb
	rm -rf "$root"/var/lib/apt/lists/*
	# The mirror of the machine that built the image is nobody's business.
	: >"$root/etc/apt/sources.list"
	: >"$root/etc/machine-id"
}
