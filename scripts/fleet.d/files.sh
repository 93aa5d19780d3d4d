# The files of a fleet that depend on how many hosts it has.
# Sourced by scripts/fleet.

web_ip() { echo "10.77.0.$((10 + $1))"; }
edge_ip() { echo "10.77.0.$((1 + $1))"; }
bastion_ip() { echo "10.77.0.$((220 + $1))"; }

# ip_of prints the address of the host of that name.
ip_of() {
	case $1 in
	web[1-9]*) web_ip "${1#web}" ;;
	edge[1-9]*) edge_ip "${1#edge}" ;;
	bastion[1-9]*) bastion_ip "${1#bastion}" ;;
	*) die "no such host: $1" ;;
	esac
}

# names prints every machine of a fleet of N web hosts, B balancers and J bastions.
names() {
	local i
	for i in $(seq 1 "$1"); do echo "web$i"; done
	for i in $(seq 1 "$2"); do echo "edge$i"; done
	for i in $(seq 1 "$3"); do echo "bastion$i"; done
}

etc_hosts() {
	local name
	echo "127.0.0.1 localhost"
	for name in "$@"; do echo "$(ip_of "$name") $name"; done
}

# haproxy_cfg prints the configuration of one balancer: its name, the number of
# web hosts, and 1 for a balancer that never tries a request twice.
haproxy_cfg() {
	local edge=$1 hosts=$2 retries0=$3 i
	cat <<-END
		global
		    log /dev/log local0
		    user haproxy
		    group haproxy
		    daemon
		    stats socket /run/haproxy/admin.sock mode 660 user haproxy group haproxy level admin
		    stats socket ipv4@$(ip_of "$edge"):9999 level user
		    stats timeout 30s

		defaults
		    mode http
		    log global
		    timeout connect 2s
		    timeout client 60s
		    timeout server 60s
		    timeout http-keep-alive 60s
	END
	if [ "$retries0" = 1 ]; then
		echo "    retries 0"
	else
		printf '    retries 3\n    option redispatch\n'
	fi
	cat <<-END

		frontend web
		    bind :80
		    default_backend shop

		backend shop
		    balance roundrobin
		    option httpchk GET /health
		    http-check expect status 200
	END
	for i in $(seq 1 "$hosts"); do
		echo "    server web$i $(web_ip "$i"):8080 check inter 200ms rise 2 fall 2"
	done
}

# is_nginx tells whether a balancer is nginx rather than HAProxy.
is_nginx() { case $NGINX in *,"$1",*) true ;; *) false ;; esac }

# nginx_conf prints what Debian's nginx.conf includes from conf.d.
nginx_conf() {
	local i
	cat <<-END
		upstream shop {
		    zone shop 64k;
	END
	for i in $(seq 1 "$1"); do
		echo "    server $(web_ip "$i"):8080 max_fails=1 fail_timeout=1s; # web$i"
	done
	cat <<-'END'
		    keepalive 16;
		}

		map $http_upgrade $shop_connection {
		    default upgrade;
		    ''      '';
		}

		server {
		    listen 80;
		    location / {
		        proxy_pass http://shop;
		        proxy_http_version 1.1;
		        proxy_set_header Connection $shop_connection;
		        proxy_set_header Upgrade $http_upgrade;
		        proxy_connect_timeout 2s;
		    }
		}
	END
}

# inventory prints the inventory.toml of a fleet.
inventory() {
	local hosts=$1 balancers=$2 i
	cat <<-END
		[app]
		name = "shop"
		artifact = "dist/shop"
		entry = "shop"
		path = "/srv/shop"
		port = 8080

		[reload]
		preset = "tableflip"
		method = "signal"
		signal = "HUP"
		pid_file = "/run/shop/pid"
		unit = "shop.service"
		start = ["systemctl", "start", "shop"]
		stop = ["systemctl", "stop", "shop"]

		[health]
		kind = "http"
		path = "/health"
		version_path = "/version"

		[rollout]
		parallel = 1

		[ssh]
		user = "deploy"
		identity_file = "id_ed25519"
		known_hosts = "known_hosts"
		sudo = true
	END
	for i in $(seq 1 "$balancers"); do
		if is_nginx "edge$i"; then
			printf '\n[[lb]]\nname = "edge%s"\nkind = "nginx"\naddress = "%s"\n' "$i" "$(edge_ip "$i")"
			printf 'upstream = "shop"\nconfig = "/etc/nginx/nginx.conf"\n'
			continue
		fi
		printf '\n[[lb]]\nname = "edge%s"\nkind = "haproxy"\naddress = "%s"\n' "$i" "$(edge_ip "$i")"
		printf 'upstream = "shop"\nsocket = "/run/haproxy/admin.sock"\n'
	done
	for i in $(seq 1 "$hosts"); do
		printf '\n[[host]]\nname = "web%s"\naddress = "%s"\n' "$i" "$(web_ip "$i")"
	done
}
