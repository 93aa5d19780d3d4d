# One host: a whole Debian with its own systemd, on an overlay over the base.
# Sourced by scripts/fleet. A host's directory holds root (what it sees), upper
# (what it changed), console.log, and nspawn (pid and start time).

root_of() { echo "$DIR/hosts/$1/root"; }

# dress gives a host its disk: the base, and on top what is its own.
dress() {
	local host=$1 base=$2 dir=$DIR/hosts/$1 root
	root=$(root_of "$host")
	mkdir -p "$dir/upper" "$dir/work" "$root"
	mount -t overlay "$FLEET-$host" -o "lowerdir=$base,upperdir=$dir/upper,workdir=$dir/work" "$root"
	echo "$host" >"$root/etc/hostname"
	cp "$DIR/etc_hosts" "$root/etc/hosts"
	tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
	ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$root/etc/ssh/ssh_host_ed25519_key"
	printf '%s %s\n' "$(ip_of "$host")" "$(cut -d' ' -f1,2 "$root/etc/ssh/ssh_host_ed25519_key.pub")" \
		>"$dir/known_host"
	install -m 440 "$PARTS/sudoers" "$root/etc/sudoers.d/deploy"
	install -d -o 1000 -g 1000 -m 700 "$root/home/deploy/.ssh"
	install -o 1000 -g 1000 -m 600 "$DIR/id_ed25519.pub" "$root/home/deploy/.ssh/authorized_keys"
	"dress_${host%%[0-9]*}" "$host" "$root"
}

dress_web() {
	local root=$2 units=$2/etc/systemd/system
	install -d -o 1000 -g 1000 -m 755 "$root/srv/shop"
	install -m 644 "$PARTS/shop.service" "$units/shop.service"
	mkdir -p "$units/multi-user.target.wants"
	ln -sf ../shop.service "$units/multi-user.target.wants/shop.service"
}

# A bastion is a machine with sshd and nothing else.
dress_bastion() { :; }

dress_edge() {
	local root=$2
	if is_nginx "$1"; then
		mkdir -p "$root/etc/nginx/conf.d"
		nginx_conf "$HOSTS" >"$root/etc/nginx/conf.d/shop.conf"
		rm -f "$root/etc/nginx/sites-enabled/default"
		sed -i 's#^error_log .*#error_log /var/log/nginx/error.log notice;#' "$root/etc/nginx/nginx.conf"
		ln -sf /lib/systemd/system/nginx.service "$root/etc/systemd/system/multi-user.target.wants/nginx.service"
		return
	fi
	haproxy_cfg "$1" "$HOSTS" "$RETRIES0" >"$root/etc/haproxy/haproxy.cfg"
	echo 'EXTRAOPTS="-S /run/haproxy-master.sock,mode,660,group,haproxy"' >"$root/etc/default/haproxy"
	ln -sf /lib/systemd/system/haproxy.service "$root/etc/systemd/system/multi-user.target.wants/haproxy.service"
}

# cgroup_roots prints every hierarchy in which a host needs a group of its own:
# in a shared one its systemd would end the processes of the others.
cgroup_roots() {
	local root
	for root in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
		[ ! -w "$root/cgroup.procs" ] || echo "$root"
	done
}

# power_on starts a host and returns at once.
power_on() {
	local host=$1 root
	for root in $(cgroup_roots); do mkdir -p "$root/fleet-$FLEET-$host"; done
	setsid bash -c '
		for root in $3; do echo $$ >"$root/fleet-$1-$2/cgroup.procs"; done
		exec systemd-nspawn -q -D "$4" -b --register=no --keep-unit --machine="$1-$2" --hostname="$2" \
			--network-namespace-path="/run/netns/$1-$2" --resolv-conf=off --timezone=off \
			--link-journal=no --console=pipe
	' nspawn "$FLEET" "$host" "$(cgroup_roots)" "$(root_of "$host")" \
		</dev/null >>"$DIR/hosts/$host/console.log" 2>&1 &
	echo "$! $(born $!)" >"$DIR/hosts/$host/nspawn"
}

# born prints when a process started, which tells it from a later one of the
# same id; nothing when it is gone.
born() { [ ! -r "/proc/$1/stat" ] || sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# nspawn_of prints the id of the process that holds a host, or nothing.
nspawn_of() {
	local pid birth
	[ -r "$DIR/hosts/$1/nspawn" ] || return 0
	read -r pid birth <"$DIR/hosts/$1/nspawn" || return 0
	[ -z "$birth" ] || [ "$(born "$pid")" != "$birth" ] || echo "$pid"
}

# leader prints the id of a host's systemd, seen from outside; nothing when off.
leader() {
	local nspawn pid
	nspawn=$(nspawn_of "$1")
	[ -n "$nspawn" ] || return 0
	for pid in $(pgrep -P "$nspawn" || true); do
		! grep -qs '^NSpid:.*[[:space:]]1$' "/proc/$pid/status" || echo "$pid"
	done
}

need_leader() {
	local pid
	pid=$(leader "$1")
	[ -n "$pid" ] || die "$1 is off"
	echo "$pid"
}

# power_off is a power cut: the host is silent from now on, its disk as it was.
power_off() {
	local host=$1 pid nspawn
	nspawn=$(nspawn_of "$host")
	pid=$(leader "$host")
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
	[ -z "$nspawn" ] || await_end "$nspawn"
	rm -f "$DIR/hosts/$host/nspawn"
}

# await_end returns once nspawn has ended; without a leader it would not by itself.
await_end() {
	local i
	for i in $(seq 1 100); do
		[ -d "/proc/$1" ] || return 0
		[ "$i" != 40 ] || kill -KILL "$1" 2>/dev/null || true
		sleep 0.05
	done
	die "nspawn $1 does not end"
}

# await_ssh returns once sshd answers on every host named.
await_ssh() {
	local host deadline=$((SECONDS + 30))
	for host in "$@"; do
		until answers "$(ip_of "$host")"; do
			[ "$SECONDS" -lt "$deadline" ] || die "$host: no sshd after 30 s: see $DIR/hosts/$host/console.log"
			sleep 0.1
		done
	done
}

answers() {
	in_operator timeout 1 bash -c 'read -r line <"/dev/tcp/$0/22" && [ "${line#SSH-}" != "$line" ]' "$1" 2>/dev/null
}

# undress unmounts a host's disk and removes its control groups.
undress() {
	local host=$1 root group
	root=$(root_of "$host")
	! mountpoint -q "$root" || umount "$root" || umount -l "$root"
	for root in $(cgroup_roots); do
		group=$root/fleet-$FLEET-$host
		[ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
}
