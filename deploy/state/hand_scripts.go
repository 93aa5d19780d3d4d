package state

// What people ask for by hand, beside the scripts of a run (scripts.go).
const handText = `
{{- /* fd_held tells by the holder's own descriptor whether the lease is taken. Not by
trying to take it, which a run that wants it would lose to; not by /proc/locks, which
does not show in a container what a process that has ended took for its parent. */ -}}
{{- define "hand" -}}
fd_held() {
	[ -e "$fd_app/lease" ] || return 1
	[ -e /proc/self/fd ] || { [ -e "$fd_app/holder" ]; return; }
	for fd_open in /proc/[0-9]*/fd/9; do
		[ "$fd_open" -ef "$fd_app/lease" ] && return
	done
	return 1
}
fd_show() { printf '%s ' "$1"; head -c 4000 "$fd_app/$1" 2>/dev/null | head -n 1 | tr -d '\n'; echo; }
{{end}}

{{- define "sight"}}{{template "begin" .}}{{template "hand"}}
{{template "here" .}}fd_say data
if fd_held; then fd_show holder; fi
[ ! -e "$fd_app/freeze" ] || fd_show freeze
[ ! -e "$fd_app/pause" ] || fd_show pause
{{template "end" .}}{{end}}

{{- define "freeze"}}{{template "begin" .}}{{template "files" .}}{{template "hand"}}{{template "lock" .}}
{{template "here" .}}if [ -e "$fd_app/freeze" ]; then
	fd_say data
	fd_show freeze
	exit 0
fi
fd_put "$fd_app/freeze" {{q .Data}} || fd_refuse write freeze
fd_say data
{{template "end" .}}{{end}}

{{- define "unfreeze"}}{{template "begin" .}}{{template "hand"}}{{template "lock" .}}
{{template "here" .}}if [ -e "$fd_app/freeze" ]; then
	if [ "$(head -c 4000 "$fd_app/freeze" | head -n 1)" != {{q .Data}} ]; then
		fd_say data
		fd_show freeze
		exit 0
	fi
	rm -f "$fd_app/freeze" && sync "$fd_app" || fd_refuse write freeze
fi
fd_say data
{{template "end" .}}{{end}}

{{- /* A holder that has not said yet who it is has not removed the pause of a run
before it either. */ -}}
{{- define "pause"}}{{template "begin" .}}{{template "files" .}}{{template "hand"}}
{{template "here" .}}if ! [ -e "$fd_app/holder" ] || ! fd_held; then
	fd_say data
	exit 0
fi
{{template "lock" .}}
fd_put "$fd_app/pause" {{q .Data}} || fd_refuse write pause
fd_say data
fd_show holder
{{template "end" .}}{{end}}

{{- define "prepared"}}{{template "begin" .}}{{template "tools"}}
fd_up=$fd_dir
until [ -d "$fd_up" ]; do fd_up=${fd_up%/*}; fd_up=${fd_up:-/}; done
if [ "$fd_up" != "$fd_dir" ]; then
	[ -w "$fd_up" ] ||
		{{if .Data.Sudo}}sudo -n -l install -d -m 0755 -o "$fd_user" "$fd_dir" >/dev/null 2>&1 ||
		{{end}}fd_refuse missing "$fd_user"
else
	[ -w "$fd_dir" ] || fd_refuse readonly "$fd_user"
	case $(ls -ldnL "$fd_dir") in ????????w*) fd_refuse open ;; esac
	for fd_made in "$fd_app" "$fd_app/own" "$fd_app/journal"; do
		[ ! -e "$fd_made" ] || [ -w "$fd_made" ] || fd_refuse readonly "$fd_user"
	done
fi
fd_say data
{{template "end" .}}{{end}}
`
