# Sixty-four hosts at once, beside Ansible, pssh, ClusterShell and rsync, and a thousand
# connections. Sourced by scripts/bench.

do_hosts() {
	[ "$(id -u)" != 0 ] || DEBIAN_FRONTEND=noninteractive apt-get -qqy --no-install-recommends install ansible pssh clustershell rsync openssh-client openssh-server >&2
	echo "Rounds: $rounds, medians (lowest to highest), the ways taking turns; ratios are of the same round. The hosts are 64 addresses of one sshd on loopback; it and the clients share $(nproc) cores. Load before: $(cut -d' ' -f1 /proc/loadavg)."
	(cd "$TREE" && BENCH_ROUNDS=$rounds go test -tags bench -v -count=1 -timeout 60m -skip "^TestPull" ./scripts/bench.d/hosts | grep -v '^ok\|^PASS\|^===\|^---')
	echo
	echo "Load after: $(cut -d' ' -f1 /proc/loadavg)."
}
