# The processes of a loopback fleet: started here, ended here, none but our own.
# Sourced by scripts/loopback.

# born prints when a process started, which tells it from a later one of the
# same id; nothing when it is gone.
born() { [ ! -r "/proc/$1/stat" ] || sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# launch starts a program on its own feet and notes its process.
launch() {
	local host=$1 name=$2
	shift 2
	setsid "$@" </dev/null >>"$DIR/$host/$name.log" 2>&1 &
	echo "$! $(born $!)" >"$DIR/$host/$name.proc"
}

start_sshd() {
	# sshd of root wants the directory that it drops its privileges in.
	[ "$(id -u)" != 0 ] || [ -d /run/sshd ] || mkdir -m 755 /run/sshd
	launch "$1" sshd "$(command -v sshd)" -D -e -f "$DIR/$1/sshd_config"
}

start_haproxy() { launch edge1 haproxy "$(command -v haproxy)" -db -f "$DIR/edge1/haproxy.cfg"; }

# still prints the process id that a note names, or nothing when it has ended.
still() {
	local pid birth
	[ -r "$1" ] && read -r pid birth <"$1" || return 0
	[ -z "$birth" ] || [ "$(born "$pid")" != "$birth" ] || echo "$pid"
}

# await_port returns once the program of that name listens; a second program on
# the port would answer for one that has died.
await_port() {
	local deadline=$((SECONDS + 10))
	until (: <"/dev/tcp/$3/$4") 2>/dev/null && [ -n "$(still "$DIR/$1/$2.proc")" ]; do
		[ -n "$(still "$DIR/$1/$2.proc")" ] && [ "$SECONDS" -lt "$deadline" ] ||
			die "$1: $2 does not run: $(tail -n 3 "$DIR/$1/$2.log")"
		sleep 0.05
	done
}

# ours prints every process of this fleet: those noted with their children (the
# sessions of an sshd), and those that run out of its directory.
ours() {
	local note pid
	for note in "$DIR"/*/*.proc; do
		[ -e "$note" ] || continue
		pid=$(still "$note")
		[ -z "$pid" ] || family "$pid"
	done
	for pid in /proc/[0-9]*; do
		case $(readlink "$pid/exe" 2>/dev/null) in "$DIR"/web*) echo "${pid#/proc/}" ;; esac
	done
}

family() {
	local kid
	for kid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do family "$kid"; done
	echo "$1"
}

# end_all returns once none of them is left: TERM, two seconds, KILL.
end_all() {
	local i pids signal=TERM
	for i in $(seq 1 80); do
		pids=$(ours | sort -u)
		[ -n "$pids" ] || return 0
		[ "$i" -lt 40 ] || signal=KILL
		# shellcheck disable=SC2086 # process ids
		case $i in
		1 | 4?) kill -"$signal" $pids 2>/dev/null || true ;;
		esac
		sleep 0.05
	done
	die "does not end: $pids"
}
