# Two hundred hosts that fetch their release from object storage by themselves. Sourced by
# scripts/bench.

do_pull() {
	[ "$(id -u)" != 0 ] || DEBIAN_FRONTEND=noninteractive apt-get -qqy --no-install-recommends install curl wget iproute2 openssh-server >&2
	local free
	free=$(df -Pk "${TMPDIR:-/tmp}" | awk 'NR==2 {print int($4 / 1048576)}')
	[ "$free" -ge 20 ] || die "20 GiB are needed in ${TMPDIR:-/tmp}, $free are free"
	BUILDS=${XDG_CACHE_HOME:-$HOME/.cache}/flipdeploy-bench
	program versitygw v1.8.0 github.com/versity/versitygw/cmd/versitygw >&2
	echo "The hosts are 200 addresses of one sshd on loopback, each with a directory of its own; versitygw, a server that speaks S3, they and flipdeploy share $(nproc) cores and one disk. Load before: $(cut -d' ' -f1 /proc/loadavg)."
	(cd "$TREE" && BENCH_ROUNDS=1 BENCH_STORE=$BUILDS/versitygw-v1.8.0 \
		go test -tags bench -v -count=1 -timeout 60m -run '^TestPull' ./scripts/bench.d/hosts | grep -v '^ok\|^PASS\|^===\|^---')
	echo
	echo "Load after: $(cut -d' ' -f1 /proc/loadavg)."
}
