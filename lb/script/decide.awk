# Decides on a fresh state whether an act may be done, and on which servers.
# Before "== state", as thousands of hosts are too long for an environment:
# "up POOL", "addr HOST IP PORT", "act MODE HOST", "min N", "also N"
# (a floor of the hosts that follow), "among HOST",
# "pid PID START", "agent" (an agent is allowed), "fresh PAIR" (ask for a new
# check), "busy" (maint cuts no request),
# "expect PAIR BITS WANT". MODE: claim, drain, to, verify.
function fail(why) { print "fd-lb refused " why; bad = 1; exit 41 }
function bit(a, b) { return int(a / b) % 2 }
function outbits(a) { return bit(a, 1) + 2 * bit(a, 2) + 8 * bit(a, 8) + 16 * bit(a, 16) + 32 * bit(a, 32) }
function serves(k) { return outbits(admin[k]) == 0 && uw[k] > 0 && (op[k] == 1 || op[k] == 2) }
function root(k,    n) { while (track[k] != "" && n++ < 16) k = track[k]; return k }
BEGIN {
	while ((getline line) > 0 && line != "== state") {
		split(line, w, " ")
		if (w[1] == "up") up[w[2]] = 1
		if (w[1] == "addr") host[w[3] " " w[4]] = w[2]
		if (w[1] == "act") { mode = w[2]; me = w[3] }
		if (w[1] == "min") min = w[2] + 0
		if (w[1] == "also") least[++floors] = w[2] + 0
		if (w[1] == "among") among[floors, w[2]] = 1
		if (w[1] == "pid") { pid = w[2]; start = w[3] }
		if (w[1] == "agent") agentok = 1
		if (w[1] == "busy") busyok = 1
		if (w[1] == "fresh") fresh[w[2]] = 1
		if (w[1] == "expect") { have[w[2]] = w[3] + 0; want[w[2]] = w[4]; expected[w[2]] = 1 }
	}
	num["ready"] = 0; num["drain"] = 8; num["maint"] = 1
}
/^Pid: / { nowpid = $2 }
/^Start_time_sec: / { nowstart = $2 }
/^# be_id / { for (i = 2; i <= NF; i++) c[$i] = i - 1; part = 1; next }
/^# pxname,/ { m = split(substr($0, 3), h, ","); for (i = 1; i <= m; i++) s[h[i]] = i; part = 2; next }
$0 == "" { part = 0; next }
part == 1 && ($(c["be_name"]) in up) {
	k = $(c["be_name"]) "/" $(c["srv_name"])
	o = host[$(c["srv_addr"]) " " $(c["srv_port"])]
	if (o == "") o = host[$(c["srv_fqdn"]) " " $(c["srv_port"])]
	known[k] = 1; owner[k] = o; pool[k] = $(c["be_name"])
	admin[k] = $(c["srv_admin_state"]) + 0; op[k] = $(c["srv_op_state"]) + 0
	uw[k] = $(c["srv_uweight"]) + 0; agent[k] = $(c["srv_agent_state"]) + 0
	order[++pairs] = k
}
part == 2 {
	split($0, f, ",")
	k = f[1] "/" f[s["svname"]]
	if (!(k in known)) next
	bck[k] = f[s["bck"]] + 0; track[k] = f[s["tracked"]]
	busy[k] = f[s["scur"]] + f[s["qcur"]]
}
END {
	if (bad) exit 41
	for (i = 1; i <= pairs; i++) {
		k = order[i]; o = owner[k]
		if (o == "") continue
		if (!bck[k]) { seats[o]++; if (!serves(k)) lame[o]++ }
		if (o != me) continue
		if (k !~ /^[A-Za-z0-9_.:-]+\/[A-Za-z0-9_.:-]+$/) fail("name")
		r = root(k)
		if (!(r in known) || owner[r] != me) fail("track " k " " r)
		if (!(r in target)) { target[r] = 1; todo[++todos] = r }
		mine[++minen] = k; sum += busy[k]
		if (bit(agent[k], 4) && !agentok) agentat = k
	}
	if (!minen) fail("absent")
	if (pid != "" && (pid != nowpid || start != nowstart)) fail("restarted " nowpid " " nowstart)
	for (o in seats) if (!lame[o]) { serving++; for (i = 1; i <= floors; i++) if ((i, o) in among) stay[i]++ }
	was = (seats[me] && !lame[me]) ? 1 : 0
	if (mode == "claim" || mode == "drain") {
		if (agentat != "") fail("agent " agentat)
		for (i = 1; i <= minen; i++) {
			k = mine[i]; b = outbits(admin[k]); r = root(k)
			if (uw[k] == 0) fail("out " k " weight")
			if (b == 0) continue
			# Drained before, by us: unless the mark says that we have not come to that yet.
			if (mode == "drain" && ENVIRON["FD_CLAIMED"] == "" && outbits(admin[r]) == 8 && (b == 8 || (k != r && b == 16))) continue
			if ((r in expected) && outbits(admin[r]) == have[r]) continue
			fail("out " k " " b)
		}
		# A host that serves nowhere, or not everywhere, may be repaired; but the last
		# server of a pool never goes while a floor is set.
		if (was && serving - 1 < min) fail("floor " serving - 1 " " min)
		for (i = 1; i <= floors; i++) if (was && ((i, me) in among) && stay[i] - 1 < least[i]) fail("floor " stay[i] - 1 " " least[i])
		for (i = 1; i <= minen; i++) {
			k = mine[i]
			if (bck[k] || !serves(k) || min < 1) continue
			left = 0
			for (j = 1; j <= pairs; j++) if (pool[order[j]] == pool[k] && owner[order[j]] != "" && owner[order[j]] != me && !bck[order[j]] && serves(order[j])) left++
			if (left < 1) fail("floor " left " " min " " pool[k])
		}
		print "fd-lb was " was
	}
	# A verify of "*": drained, or out as we had left it before.
	if (mode == "drain") for (i = 1; i <= todos; i++) if (outbits(admin[todo[i]]) == 0) print "set " todo[i] " drain"
	if (mode != "to" && mode != "verify") exit 0
	for (i = 1; i <= todos; i++) {
		k = todo[i]; b = outbits(admin[k])
		if (mode == "verify") { if (expected["*"] && expected[k] && b == have[k]) continue; w8 = expected["*"] ? want["*"] : want[k]; if (w8 == "" || b != num[w8]) fail("changed " k " " b " " w8); continue }
		if (!expected[k]) fail("changed " k " " b " -")
		if (b != have[k] && b != num[want[k]]) fail("changed " k " " b " " have[k])
		if (want[k] == "maint" && b != 1 && sum > 0 && !busyok) fail("busy " sum)
		if (b != num[want[k]]) print "set " k " " want[k]
	}
	if (mode == "to") for (k in fresh) if (k in target) print "fresh " k
}
