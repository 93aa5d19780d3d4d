# How a release comes to hosts: beside scp, beside sending all of it, and what the next
# build takes on the wire. Sourced by scripts/bench.

do_upload() {
	BUILDS=${XDG_CACHE_HOME:-$HOME/.cache}/flipdeploy-bench
	mkdir -p "$BUILDS"
	builds >&2
	echo "Rounds: $rounds, medians (lowest to highest), both ways taking turns; ratios are of the same round. Client and sshd share one machine of $(nproc) cores: loopback; a program in user space delays. Load before: $(cut -d' ' -f1 /proc/loadavg)."
	(cd "$TREE" && BENCH_ROUNDS=$rounds BENCH_OLD=$BUILDS/flipdeploy-last BENCH_NEW=$BUILDS/flipdeploy BENCH_OWN=$BUILDS/flipdeploy BENCH_PAIRS=$(pairs) \
		go test -v -tags bench -count=1 -timeout 60m ./scripts/bench.d/upload | grep -v '^ok\|^PASS\|^=== \|^--- ')
	echo
	echo "Load after: $(cut -d' ' -f1 /proc/loadavg)."
}

# program NAME VERSION PACKAGE builds a program of others as it ships.
program() {
	[ -x "$BUILDS/$1-$2" ] && return
	say "building $1 $2"
	GOBIN=$BUILDS/bin CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' "$3@$2"
	mv "$BUILDS/bin/$1" "$BUILDS/$1-$2"
}

# builds are those that a pair is made of, and flipdeploy's own with a small edit.
builds() {
	program caddy v2.10.0 github.com/caddyserver/caddy/v2/cmd/caddy
	program caddy v2.10.2 github.com/caddyserver/caddy/v2/cmd/caddy
	program hugo v0.145.0 github.com/gohugoio/hugo
	program hugo v0.148.1 github.com/gohugoio/hugo
	program hugo v0.148.2 github.com/gohugoio/hugo
	(cd "$TREE" && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$BUILDS/flipdeploy" .)
	edited "$TREE/deploy/cli/words.go" >"$BUILDS/words.go"
	printf '{"Replace":{"%s":"%s"}}\n' "$TREE/deploy/cli/words.go" "$BUILDS/words.go" >"$BUILDS/overlay.json"
	(cd "$TREE" && CGO_ENABLED=0 go build -trimpath -overlay "$BUILDS/overlay.json" -ldflags='-s -w' -o "$BUILDS/flipdeploy-last" .)
}

# edited is a source file that says fmt, with a function more, which is called.
edited() {
	cat "$1" - <<'END'

var edits = edit("what somebody added")

// edit is what somebody added.
func edit(name string) (n int) {
	for i, r := range name {
		if r == 'x' {
			n -= i * len(fmt.Sprint(r, name))
		}
	}
	return n
}

func init() {
	if edits > 0 {
		panic(fmt.Sprintf("%d edits", edits))
	}
}
END
}

pairs() {
	printf 'flipdeploy, a small edit\t%s\t%s\n' "$BUILDS/flipdeploy-last" "$BUILDS/flipdeploy"
	printf 'caddy 2.10.0 to 2.10.2\t%s\t%s\n' "$BUILDS/caddy-v2.10.0" "$BUILDS/caddy-v2.10.2"
	printf 'hugo 0.145.0 to 0.148.2\t%s\t%s\n' "$BUILDS/hugo-v0.145.0" "$BUILDS/hugo-v0.148.2"
	printf 'hugo 0.148.1 to 0.148.2\t%s\t%s\n' "$BUILDS/hugo-v0.148.1" "$BUILDS/hugo-v0.148.2"
}
