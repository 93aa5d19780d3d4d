# The hot paths here beside those of another revision. Sourced by scripts/bench.

BENCHSTAT=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
HOT='deploy:RolloutOf10000 remote/delta:Make|Apply remote/site:Script lb:Parse'

do_compare() {
	git -C "$TREE" rev-parse --verify --quiet "$rev^{commit}" >/dev/null || die "there is no revision $rev here"
	WORK=$(mktemp -d)
	trap forget EXIT
	git -C "$TREE" worktree add --quiet --detach "$WORK/there" "$rev"
	ln -s "$TREE" "$WORK/here"
	for hot in $HOT; do
		for side in there here; do build "$side" "${hot%%:*}"; done
	done
	for round in $(seq "$rounds"); do
		for hot in $HOT; do # what drifts, drifts for both
			for side in there here; do once "$side" "${hot%%:*}" "${hot#*:}"; done
		done
		say "round $round of $rounds"
	done
	(cd "$TREE" && go run "$BENCHSTAT" "$rev=$WORK/there.txt" "here=$WORK/here.txt")
}

program_of() { echo "$WORK/$1-${2//\//-}.test"; }

# build makes the test program of a package, where it has tests.
build() { (cd "$WORK/$1/" && go test -c -o "$(program_of "$1" "$2")" "./$2" >&2); }

# once runs the benchmarks of that name in the package's directory. A revision may lack
# them.
once() {
	local program
	program=$(program_of "$1" "$2")
	[ -x "$program" ] || return 0
	(cd "$WORK/$1/$2" && "$program" -test.run '^$' -test.bench "^Benchmark($3)\$" -test.benchmem) >>"$WORK/$1.txt"
}

forget() {
	git -C "$TREE" worktree remove --force "$WORK/there" 2>/dev/null || git -C "$TREE" worktree prune
	rm -rf -- "$WORK"
}
