# The network of a fleet: a namespace for the operator with a bridge in it, one
# a host, a cable between. No packet leaves the machine. Interface names need no
# fleet in them: each lives in a namespace of its fleet.
# Sourced by scripts/fleet.

OPERATOR_IP=10.77.0.1

ns() { echo "$FLEET-$1"; }

# in_operator runs a command in the operator's network. It is the command: its
# process id is the caller's, so a kill reaches it.
in_operator() { nsenter --net="/run/netns/$(ns op)" -- "$@"; }

raise_network() {
	local op
	op=$(ns op)
	ip netns add "$op"
	ip -n "$op" link set lo up
	ip -n "$op" link add br0 type bridge forward_delay 0
	ip -n "$op" addr add "$OPERATOR_IP/24" dev br0
	ip -n "$op" link set br0 up
}

# raise_cable gives a host its namespace, its address and its cable, which is
# named after the host at the operator's end.
raise_cable() {
	local host=$1 op
	op=$(ns op)
	ip netns add "$(ns "$host")"
	ip -n "$op" link add "$host" type veth peer name host0 netns "$(ns "$host")"
	ip -n "$op" link set "$host" master br0 up
	ip -n "$(ns "$host")" link set lo up
	ip -n "$(ns "$host")" addr add "$(ip_of "$host")/24" dev host0
	ip -n "$(ns "$host")" link set host0 up
	ip -n "$(ns "$host")" route add default via "$OPERATOR_IP"
}

cable() { ip -n "$(ns op)" link set "$1" "$2"; }

# lower_network removes the namespaces of this fleet; cables go with them.
lower_network() {
	local name
	for name in "$@" op; do
		[ ! -e "/run/netns/$(ns "$name")" ] || ip netns delete "$(ns "$name")"
	done
}
