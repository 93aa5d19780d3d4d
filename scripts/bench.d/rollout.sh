# What a whole rollout takes, beside a tuned Ansible playbook.
# Sourced by scripts/bench.

HOSTS=8
WAYS="default quick once again steps staged serial checked sticky stuck"

do_rollout() {
	need_ansible
	fleet up -n "$HOSTS" >&2
	trap 'fleet down' EXIT
	DIR=$(fleet dir)
	fleet tools >&2
	(cd "$TREE" && CGO_ENABLED=0 go build -trimpath -o "$DIR/bin/flipdeploy" . &&
		CGO_ENABLED=0 go build -trimpath -o "$DIR/bin/bench" ./scripts/bench.d)
	inventories
	releases "$rounds"
	fleet run "$DIR/bin/bench" -dir "$DIR" -fleet "$TREE/scripts/fleet" -name "$FLEET" -hosts "$HOSTS" -rounds "$rounds"
}

# need_ansible returns once Ansible is there with the modules of its community.
need_ansible() {
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "needs root on Debian"
	dpkg-query -W -f '${Status}' ansible 2>/dev/null | grep -q 'ok installed' && return
	say "installing ansible"
	apt-get -qq update >&2
	DEBIAN_FRONTEND=noninteractive apt-get -qqy --no-install-recommends install ansible >&2
}

# inventories writes what both sides need to know of the same fleet. Neither has a
# canary nor a bake: both do all hosts alike.
inventories() {
	sed 's/^parallel = 1$/parallel = 2\ncanary = 0\nbake = "0s"/' "$DIR/inventory.toml" >"$DIR/default.toml"
	sed 's/^preset = "tableflip"$/&\nsettle = "200ms"/' "$DIR/default.toml" >"$DIR/quick.toml"
	sed 's/^settle = .*/settle = "0s"/; s/^kind = "http"$/&\nrise = 1/' "$DIR/quick.toml" >"$DIR/once.toml"
	edge=$DIR/hosts/edge1/root/etc/haproxy/haproxy.cfg
	cp "$edge" "$DIR/plain.cfg"
	sed 's/^    balance roundrobin$/&\n    cookie shop insert indirect nocache/; s/^    server \(web[0-9]*\) .*/& cookie \1/' "$edge" >"$DIR/sticky.cfg"
	[ "$(grep -c cookie "$DIR/sticky.cfg")" = $((HOSTS + 1)) ] || die "the balancer's configuration is another than expected: no cookie could be set"
	mkdir -p "$DIR/ansible"
	cp "$TREE"/scripts/bench.d/*.yml "$DIR/ansible/"
	sed "s|@DIR@|$DIR|" "$TREE/scripts/bench.d/ansible.cfg" >"$DIR/ansible/ansible.cfg"
	{
		echo '[edge]'
		machines edge
		echo '[web]'
		machines web
	} >"$DIR/ansible/hosts"
}

machines() { fleet list | awk -v kind="$1" 'index($1, kind) == 1 { print $1 " ansible_host=" $2 }'; }

# releases links a program of its own for every timed and loaded run, so that
# nobody finds anything to skip.
releases() {
	local way round
	fleet build-app "$DIR/apps/base/shop" base ok big
	for way in $WAYS; do
		for round in $(seq 0 "$1"); do
			fleet build-app "$DIR/apps/$way$round/shop" "$way$round" ok big
		done
	done
}
