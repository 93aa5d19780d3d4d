# Passes a complete reply on, cut to the rows and columns that are ours, or fails.
# Before "== reply", as thousands of hosts are too long for an environment: "up POOL",
# "addr HOST IP PORT", "pools". FD_SEC=2: show stat alone. FD_SETS: what was set first; HAProxy
# answers each with one empty line and nothing else.
function csv(line, f,    n, i, c, q, cur) {
	if (index(line, "\"") == 0) return split(line, f, ",")
	n = 0; cur = ""; q = 0
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		if (c == "\"") q = !q
		if (c == "," && !q) { f[++n] = cur; cur = "" } else cur = cur c
	}
	f[++n] = cur
	return n
}
function stat(line,    n, i, o, k) {
	n = csv(line, f)
	if (n != cols) broken = 1
	k = (f[1] in keep) || (pools && f[at["type"]] == 1) || (f[at["addr"]] in addr)
	if (!k) return
	o = f[1]
	for (i = 2; i <= n; i++) if (wanted[i]) { gsub(/,/, ";", f[i]); o = o "," f[i] }
	print o
}
function header(line,    n, i, o) {
	cols = csv(substr(line, 3), f)
	o = "# " f[1]
	for (i = 1; i <= cols; i++) at[f[i]] = i
	for (i = 2; i <= cols; i++) if (index(want, " " f[i] " ")) { wanted[i] = 1; o = o "," f[i] }
	if (!("addr" in at)) at["addr"] = cols + 1
	print o
}
BEGIN {
	want = " svname qcur scur stot econ wretr wredis status act bck chkdown tracked type check_status check_code eresp hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other last_chk check_desc check_rise check_fall addr cookie mode "
	while ((getline line) > 0 && line != "== reply") {
		split(line, w, " ")
		if (w[1] == "up") keep[w[2]] = 1
		if (w[1] == "pools") pools = 1
		if (w[1] == "addr") { a = w[3]; if (index(a, ":")) a = "[" a "]"; addr[a ":" w[4]] = 1; host[w[3] " " w[4]] = 1 }
	}
	sec = ENVIRON["FD_SEC"] + 0
	sets = split(ENVIRON["FD_SETS"], set, " ")
	rc = -1
}
{ sub(/\r$/, "") }
/^== rc [0-9]+$/ { rc = $3; next }
rc >= 0 { broken = 1; next }
$0 != "" { last = $0 }
done < sets && $0 != "" { odd = odd == "" ? set[done + 1] " " $0 : odd " " $0; next }
done < sets { done++; next }
sec > 2 && $0 != "" { broken = 1; next }
$0 == "" { if (sec == 0 && info || sec == 1 && ids || sec == 2 && cols) { print ""; sec++ } else if (sec < 3) broken = 1; next }
sec == 0 { if ($0 !~ /^[A-Za-z_ -]+:/) broken = 1; info = 1; if ($0 ~ /^(Version|Pid|Start_time_sec|Stopping):/) print; next }
sec == 1 && !ids && /^# be_id / { ids = NF - 1; for (i = 2; i <= NF; i++) col[$i] = i - 1; print; next }
sec == 1 && !ids { if ($0 != "1") broken = 1; print; next }
sec == 1 {
	if (NF != ids) broken = 1
	a = ($(col["srv_addr"]) " " $(col["srv_port"])) in host || ($(col["srv_fqdn"]) " " $(col["srv_port"])) in host
	if (a) keep[$(col["be_name"])] = 1
	if ($(col["be_name"]) in keep) print
	next
}
sec == 2 && !cols { if ($0 !~ /^# pxname,/) { broken = 1; next } header($0); next }
sec == 2 { stat($0) }
END {
	if (rc > 0) { print "fd-lb fail ask " rc " " last; exit 43 }
	if (odd != "") { print "fd-lb fail set " odd; exit 43 }
	if (rc < 0 || broken || sec != 3) { print "fd-lb fail reply " (broken ? "odd" : "cut") " " substr(last, 1, 160); exit 43 }
}
