# Sixty-four hosts at once, beside Ansible, pssh, ClusterShell and rsync, and a thousand
# connections. Sourced by scripts/bench.

do_hosts() {
	local rounds=5
	while [ $# -gt 0 ]; do
		case $1 in
		-n) rounds=$2 && shift 2 ;;
		*) usage >&2 && exit 2 ;;
		esac
	done
	[ "$(id -u)" = 0 ] && apt-get install -qq -y --no-install-recommends ansible pssh clustershell rsync openssh-client openssh-server >&2 || true
	echo "Rounds: $rounds, medians (lowest to highest), the ways taking turns; ratios are of the same round. The hosts are 64 addresses of one sshd on loopback; it and the clients share $(nproc) cores. Load before: $(cut -d' ' -f1 /proc/loadavg)."
	(cd "$TREE" && BENCH_ROUNDS=$rounds go test -tags bench -count=1 -timeout 60m ./scripts/bench.d/hosts | grep -v '^ok\|^PASS')
	echo
	echo "Load after: $(cut -d' ' -f1 /proc/loadavg)."
}
