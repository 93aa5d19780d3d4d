# What can go wrong with a host, done on purpose, and undone.
# Sourced by scripts/fleet.

# A cut cable: silence both ways; the host itself runs on.
do_cut() { known "$1" && cable "$1" down; }
do_join() { known "$1" && cable "$1" up; }

# A deaf host: what FROM (default: the operator) sends never arrives; what the
# host sends does.
do_deaf() {
	known "$1"
	neigh "${2:-op}" replace "$(ip_of "$1")" lladdr 02:00:00:00:00:99 nud permanent
}

do_hear() {
	known "$1"
	neigh "${2:-op}" del "$(ip_of "$1")" 2>/dev/null || true
}

neigh() {
	local from=$1 dev=host0
	[ "$from" != op ] || dev=br0
	shift
	ip -n "$(ns "$from")" neigh "$@" dev "$dev"
}

# A pulled plug: the cable goes first, so that the dying kernel side says nothing.
do_plug() {
	known "$1"
	cable "$1" down
	power_off "$1"
}

# boot returns once sshd answers; the disk is as the plug left it.
do_boot() {
	known "$1"
	[ -z "$(leader "$1")" ] || die "$1 is on"
	cable "$1" up
	power_on "$1"
	await_ssh "$1"
}

# A frozen program: every process of that name on the host, or one process id there.
do_freeze() { signal_in "$1" STOP "$2"; }
do_thaw() { signal_in "$1" CONT "$2"; }

signal_in() {
	known "$1"
	do_exec "$1" sh -c 'case $2 in *[!0-9]*) pids=$(pgrep -x "$2") ;; *) pids=$2 ;; esac; kill -"$1" $pids' \
		freeze "$2" "$3"
}

# do_disk leaves SIZE free where releases go (options such as noexec or
# nr_inodes=20 may follow); `off` gives the real disk back.
do_disk() {
	local host=$1 size=$2 options=${3:+,$3}
	known "$host"
	if [ "$size" = off ]; then
		do_exec "$host" umount /srv/shop/releases
		return
	fi
	# What is there stays there, or current would point nowhere.
	do_exec "$host" sh -c '
		set -eu
		install -d -o deploy -g deploy /srv/shop/releases
		used=$(du -sk /srv/shop/releases | cut -f1)
		size=$(($(echo "$1" | numfmt --from=iec) + used * 1024))
		keep=$(mktemp -d)
		cp -a /srv/shop/releases/. "$keep"
		mount -t tmpfs -o "size=$size,mode=755,uid=1000,gid=1000$2" tmpfs /srv/shop/releases
		cp -a "$keep/." /srv/shop/releases
		rm -rf "$keep"
	' disk "$size" "$options"
}

# do_small gives a directory a disk of its own, of SIZE, with what is in it; `off` gives
# the old one back as it was. fill leaves no block and no inode of it.
do_small() {
	local host=$1 dir=$2 size=$3 image=$DIR/hosts/$1/small.img loop
	known "$host"
	if [ "$size" = off ]; then
		do_exec "$host" umount "$dir"
		rm -f "$image"
		return
	fi
	truncate -s "$size" "$image"
	mkfs.ext4 -q -m 0 -N 512 "$image"
	loop=$(losetup -f --show "$image")
	do_exec "$host" sh -c '
		set -eu
		rm -f /dev/small
		mknod /dev/small b $((0x$3)) $((0x$4))
		mkdir -p "$1"
		mount /dev/small /mnt
		rmdir /mnt/lost+found
		cp -a "$1/." /mnt
		umount /mnt
		mount /dev/small "$1"
	' small "$dir" "$size" $(stat -c '%t %T' "$loop")
	losetup -d "$loop" # once nobody has it mounted
}

do_fill() {
	known "$1"
	# Files with no byte too: ext4 keeps some blocks for directories.
	do_exec "$1" sh -c '
		cat /dev/zero >"$1/.filled" 2>/dev/null
		i=0
		while (: >"$1/.filled.$i") 2>/dev/null; do i=$((i + 1)); done
		sync -f "$1"
		df -k "$1" | tail -n 1
		df -i "$1" | tail -n 1
	' fill "$2"
}
