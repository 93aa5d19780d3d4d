# The files of a loopback fleet: addresses, ports, configurations, the inventory.
# Sourced by scripts/loopback.

# ip_of and the ports: every host has an address and ports of its own. Ports too,
# because a process is found by its port.
ip_of() {
	case $1 in
	edge1) echo 127.0.77.2 ;;
	*) echo "127.0.77.$((10 + ${1#web}))" ;;
	esac
}
base_port() { cat "$DIR/base_port"; }
number() { case $1 in edge1) echo 0 ;; *) echo "${1#web}" ;; esac; }
ssh_port() { echo $(($(base_port) + $(number "$1"))); }
app_port() { echo $(($(base_port) + 50 + $(number "$1"))); }
web_port() { echo $(($(base_port) + 98)); }
stats_port() { echo $(($(base_port) + 99)); }

names() {
	local i
	for i in $(seq 1 "$1"); do echo "web$i"; done
	echo edge1
}

# free_ports prints the first of a hundred ports that nobody listens on, below
# those that the kernel gives to clients.
free_ports() {
	local base
	for base in $(seq 22000 100 29900); do
		# shellcheck disable=SC2016 # awk's own
		ss -ltnH | awk -v b="$base" '{ n = split($4, a, ":"); if (a[n] >= b && a[n] < b + 100) bad = 1 } END { exit bad }' &&
			echo "$base" && return 0
	done
	die "no hundred free ports from 22000 on"
}

# dress gives a host its directory: keys, sshd's configuration, the app's root.
dress() {
	local host=$1 dir=$DIR/$1
	mkdir "$dir"
	ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$dir/host_key"
	printf '[%s]:%s %s\n' "$(ip_of "$host")" "$(ssh_port "$host")" "$(cut -d' ' -f1,2 "$dir/host_key.pub")" >"$dir/known_host"
	sshd_config "$host" >"$dir/sshd_config"
	case $host in
	edge1) haproxy_cfg "$(($(wc -l <"$DIR/names") - 1))" >"$dir/haproxy.cfg" ;;
	*) dress_web "$host" ;;
	esac
}

# The shop is started and stopped by two small programs: there is no systemd here.
dress_web() {
	local app=$DIR/$1/shop
	mkdir -p "$app/bin"
	cat >"$app/bin/start" <<-END
		#!/bin/sh
		setsid $app/current/shop -listen $(ip_of "$1"):$(app_port "$1") -pidfile $app/pid </dev/null >>$app/log 2>&1 &
	END
	cat >"$app/bin/stop" <<-END
		#!/bin/sh
		# A pid file may be left from long ago: only a shop of this host is ended.
		read -r pid <$app/pid || exit 0
		case \$(readlink "/proc/\$pid/exe") in $app/*) kill -TERM "\$pid" ;; esac
	END
	chmod 755 "$app/bin/start" "$app/bin/stop"
}

sshd_config() {
	cat <<-END
		ListenAddress $(ip_of "$1"):$(ssh_port "$1")
		HostKey $DIR/$1/host_key
		AuthorizedKeysFile $DIR/id_ed25519.pub
		PidFile none
		UsePAM no
		SetEnv SHLVL=5
		StrictModes no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PermitRootLogin prohibit-password
		AllowUsers $(id -un)
		UseDNS no
	END
}

haproxy_cfg() {
	local i
	cat <<-END
		global
		    stats socket $DIR/edge1/admin.sock mode 600 level admin
		    stats socket ipv4@$(ip_of edge1):$(stats_port) level user
		    stats timeout 30s

		defaults
		    mode http
		    timeout connect 2s
		    timeout client 60s
		    timeout server 60s
		    timeout http-keep-alive 60s
		    retries 3
		    option redispatch

		frontend web
		    bind $(ip_of edge1):$(web_port)
		    default_backend shop

		backend shop
		    balance roundrobin
		    option httpchk GET /health
		    http-check expect status 200
	END
	for i in $(seq 1 "$1"); do
		echo "    server web$i $(ip_of "web$i"):$(app_port "web$i") check inter 200ms rise 2 fall 2"
	done
}

inventory() {
	local i
	cat <<-END
		[app]
		name = "shop"
		artifact = "dist/shop"
		entry = "shop"

		[reload]                     # who gets the signal: the process that listens on the host's port
		preset = "tableflip"
		method = "signal"
		signal = "HUP"
		start = ["bin/start"]        # relative to the app's root
		stop = ["bin/stop"]

		[health]
		kind = "http"
		path = "/health"
		version_path = "/version"

		[rollout]
		parallel = 1

		[ssh]
		user = "$(id -un)"
		identity_file = "id_ed25519"
		known_hosts = "known_hosts"
		sudo = false

		[state]
		dir = "$DIR/edge1/state"

		[[lb]]
		name = "edge1"
		kind = "haproxy"
		address = "$(ip_of edge1)"
		ssh_port = $(ssh_port edge1)
		upstream = "shop"
		socket = "$DIR/edge1/admin.sock"
	END
	for i in $(seq 1 "$1"); do
		printf '\n[[host]]\nname = "web%s"\naddress = "%s"\nport = %s\npath = "%s"\nssh_port = %s\n' \
			"$i" "$(ip_of "web$i")" "$(app_port "web$i")" "$DIR/web$i/shop" "$(ssh_port "web$i")"
	done
}
