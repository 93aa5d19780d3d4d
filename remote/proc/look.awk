# Reads who listens on the port, from ss or as bare process ids, and what grep and ls
# tell of all processes; tells of the listeners, of programs out of the releases, of
# the seeds, and of all that descends from them. It opens no file of a process itself:
# mawk ends when one is gone between open and read.
# Wants R (the releases, with a slash) may (sudo) seeds prefix suffix log port address.
BEGIN {
	R = ENVIRON["R"]; current = " " R "../current -> "; address = ENVIRON["address"]
	srand(); print "now " srand() # the clock, without a process
	n = split(ENVIRON["seeds"], s, " ")
	for (i = 1; i <= n; i++) seed(s[i])
}
function seed(p) { if (p + 0 > 1) ours[p + 0] = 1 }

# Sockets whose processes we may not see are hidden, but perhaps not for sudo.
/^(hidden|[0-9]+)$/ { heard[$1] = 1; next }
/^\/proc\/[0-9]+\/stat:/ { split($0, a, "/"); stat(a[3], substr($0, index($0, ":") + 1)); next }
/^l/ && (i = index($0, current)) { t = substr($0, i + length(current)); sub(/^.*\//, "", t); print "current " t; next }
/^l/ { if (i = index($0, " -> " R)) { n = split(substr($0, 1, i - 1), w, "/"); seed(w[n-1]) } next }
{ hear($0, heard) }
function hear(line, list,    f, a) {
	split(line, f, " ")
	a = f[1] == "LISTEN" ? f[4] : f[3] # of one state alone ss does not tell which it is
	sub(/:[0-9]+$/, "", a); sub(/%.*$/, "", a); gsub(/[][]/, "", a); sub(/^::ffff:/, "", a)
	if (!(address == "" || a == address || a == "*" || a == "::" || a == "0.0.0.0")) return
	if (line !~ /users:/) { list["hidden"] = 1; return }
	while (match(line, /,pid=[0-9]+,fd=/)) {
		list[substr(line, RSTART + 5, RLENGTH - 9)] = 1
		line = substr(line, RSTART + RLENGTH)
	}
}

# Fields of stat are counted behind the last ")": a command's name may hold anything,
# ends of lines too. Of the last, where its stack began, it can be told that a process
# has executed itself anew.
function stat(p, line,    t, w) {
	t = text[p] = text[p] line " "
	sub(/^.*\) /, "", t)
	split(t, w, " ")
	parent[p] = w[2]; state[p] = w[1]; row[p] = p " " w[2] " " w[20] " " w[1] " " w[9] " " w[26]
}

# Releases in which a process has its directory, or a file open or mapped.
function under(p, t) {
	if (index(t, R) != 1) return
	t = substr(t, length(R) + 1); sub(/\/.*$/, "", t); sub(/ \(deleted\)$/, "", t)
	if (t != "" && !((p, t) in seen)) { seen[p, t] = 1; print "in " p " " t }
}
# take reads a line of stat, ls or grep -H.
function take(t,    i, n, w, a) {
	if (t ~ /^[0-9]+:[0-9]+:[0-9]+:[0-9]+:\//) {
		split(t, w, ":"); n = substr(t, length(w[1] w[2] w[3] w[4]) + 5)
		if (n ~ /^\/proc\/[0-9]+\/exe$/) {
			split(n, a, "/"); light[a[3]] = 1; print "ino " a[3] " " w[1] ":" w[2]
			print "sign " a[3] " " w[2] ":" w[3] ":" w[4]
		}
		else if (n == ENVIRON["log"]) print "log " w[3]
		else print "entry " w[1] ":" w[2] " " n
	} else if (t ~ /^\/proc\/[0-9]+\/fd\/:$/) {
		split(t, a, "/"); fd = a[3]
	} else if (t ~ /^\/proc\/[0-9]+\/maps:/) {
		if (i = index(t, " " R)) { split(t, a, "/"); under(a[3], substr(t, i + 1)) }
	} else if (t ~ /^\/proc\/[0-9]+\/status:(Uid|SigIgn|SigCgt):/) { # who it runs as, what it does about signals
		split(t, a, "/"); split(t, w, /[:\t]+/); print "status " a[3] " " w[2] " " w[3]
	} else if (t ~ /^\/proc\/[0-9]+\/cgroup:/) { # a login is no service of its own
		n = split(t, a, "/")
		for (i = 4; i <= n; i++) if (a[i] ~ /\.service$/ && a[i] !~ /^(sshd?|user)[@.]/) w[0] = a[i]
		if (w[0] != "") print "service " a[3] " " w[0]
	} else if (i = index(t, " -> ")) {
		n = split(substr(t, 1, i - 1), w, " "); split(w[n], a, "/"); t = substr(t, i + 4)
		if (a[4] == "exe") print "exe " a[3] " " t
		else under(a[4] == "cwd" ? a[3] : fd, t)
	}
}
function run(cmd,    t) {
	while ((cmd | getline t) > 0) take(t)
	close(cmd)
}

END {
	if (("hidden" in heard) && ENVIRON["may"]) {
		cmd = "timeout 10 sudo -n ss -ltnpH sport = \":$port\" 2>/dev/null"
		while ((cmd | getline t) > 0) hear(t, sure)
		close(cmd)
		for (p in sure) { if (!told++) split("", heard); heard[p] = 1 }
	}
	for (p in heard) { print "listen " p; seed(p) }

	# Of all processes ours, with all that descend from them.
	do { more = 0
		for (p in parent) if (!(p in ours) && parent[p] in ours) { ours[p] = 1; more = 1 }
	} while (more)
	for (p in ours) if (p in row) {
		print "proc " row[p]
		t = text[p]; sub(/^[^(]*\(/, "", t); sub(/\) .*$/, "", t); print "name " p " " t
		if (state[p] == "Z") continue
		live[p] = 1; read = read " /proc/" p "/maps /proc/" p "/status /proc/" p "/cgroup"; exes = exes " /proc/" p "/exe"; links = links " /proc/" p "/exe /proc/" p "/cwd /proc/" p "/fd/"
	}

	# What runs in them: executable, its inode, directory, files.
	run("stat -Lc %d:%i:%s:%Y:%n" exes " \"$prefix\"*\"$suffix\" ${log:+\"$log\"} 2>/dev/null" (links == "" ? "" : "; ls -ln" links " 2>/dev/null; exec grep -HsF -e Uid: -e SigIgn: -e SigCgt: -e ::/ -e =systemd:/ -e \" $R\"" read))
	exes = links = mapped = ""
	for (p in live) if (!(p in light)) {
		exes = exes " /proc/" p "/exe"; links = links " /proc/" p "/exe /proc/" p "/cwd /proc/" p "/fd/"; mapped = mapped " /proc/" p "/maps"
	}
	sudo = "timeout 10 sudo -n "
	if (exes != "" && ENVIRON["may"])
		run("exec 2>/dev/null; " sudo "stat -Lc %d:%i:%s:%Y:%n" exes "; " sudo "ls -ln" links "; " sudo "grep -HF \" $R\"" mapped)
	print "told"
}
