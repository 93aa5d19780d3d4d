package state

import (
	"strings"
	"sync"
	"text/template"

	"al.essio.dev/pkg/shellescape"
)

// All that ever runs on a balancer in our name is in this file, hand_scripts.go, moved.go,
// and the drivers' scripts, which stand where .Data.Driver does. dash and busybox both run it.
//
// Every script is one { … }: cut short anywhere, it is a
// syntax error and does nothing. What acts through a driver while it holds act.lock is
// bounded in time by timeout; of the others no step waits for anybody, but for the disk,
// from which no signal frees it. Strings are quoted by q; names were checked
// against the lists of names.go before. A line of ours begins with a word that
// only this call knows, so that no driver's output is taken for a refusal.
// flock has no -w and no -E in busybox.
const text = `
{{- define "begin" -}}
{
fd_sent=${fd_turn:-0}
umask 022
fd_dir={{q .Dir}}
fd_app={{q .Dir}}/{{.App}}
fd_say() { printf '\n%s %s\n' {{.Token}} "$*"; }
fd_refuse() { fd_say no "$@"; exit 97; }
{{end}}

{{- define "end"}}
exit 0
}
{{end}}

{{- define "limited" -}}
exec timeout -k 5 {{.Limit}} sh -s "${fd_turn:-0}" <<'{{.Token}}'
fd_turn=$1
{{template "begin" .}}
{{- end}}

{{- /* What changes files. fd_put is whole or not at all, and on disk before it
returns; its temporary name is one for all, as act.lock is held. fd_append FILE LINE…
begins with an end of line, as a dying machine may have left a line torn: those that are
empty say nothing. */ -}}
{{- define "files" -}}
fd_put() {
	printf '%s\n' "$2" >"${1%/*}/.new" && sync "${1%/*}/.new" &&
		mv -f "${1%/*}/.new" "$1" && sync "${1%/*}"
}
fd_append() {
	fd_file=$1 && shift
	{ [ ! -s "$fd_file" ] || echo; printf '%s\n' "$@"; } >>"$fd_file" && sync "$fd_file" "${fd_file%/*}"
}
{{end}}

{{- /* From here to the end of the script nobody else acts on this machine. Not
timeout and a flock that waits: the watcher that busybox timeout leaves behind for a
second would inherit the lock. Each try is at least 10 ms. */ -}}
{{- define "lock" -}}
command exec 9>>"$fd_dir/act.lock" || fd_refuse dir
fd_tries=0
until flock -n 9; do
	[ "$fd_tries" -lt {{.Wait}}00 ] || fd_refuse busy
	fd_tries=$((fd_tries + 1))
	sleep 0.01 9>&- 2>/dev/null || sleep 1 9>&-
done
fd_epoch=0
if [ -e "$fd_app/fence" ]; then
	read -r fd_epoch fd_rest <"$fd_app/fence" || fd_epoch=
fi
{{end}}

{{- /* The fence is read only once the lock is ours: a run that waited for the
lock while another took over finds that out here. */ -}}
{{- define "fence" -}}
[ "$fd_epoch" = {{.}} ] || fd_refuse fenced "$fd_epoch"
{{end}}

{{- /* Of what this run has given up, nothing takes effect: see Turn. */ -}}
{{- define "turned" -}}
fd_turn=0
if [ -e "$fd_app/turn" ]; then
	read -r fd_of fd_turn fd_rest <"$fd_app/turn" || fd_turn=
	[ "$fd_of" = "$fd_epoch" ] || fd_turn=0
fi
[ "${fd_turn:-x}" -le "$fd_sent" ] || fd_refuse turned
{{end}}

{{- define "tools" -}}
fd_missing=
for fd_tool in flock timeout head tail sync awk sort wc grep mv; do
	command -v "$fd_tool" >/dev/null || fd_missing="$fd_missing $fd_tool"
done
[ -z "$fd_missing" ] || fd_refuse tools $fd_missing
fd_user=$(id -un)
{{end}}

{{- define "prepare"}}{{template "begin" .}}{{template "tools"}}
[ -d "$fd_dir" ] || mkdir -p "$fd_dir" 2>/dev/null ||
	{{if .Data.Sudo}}sudo -n install -d -m 0755 -o "$fd_user" "$fd_dir" 2>/dev/null ||
	{{end}}fd_refuse missing "$fd_user"
[ -w "$fd_dir" ] || fd_refuse readonly "$fd_user"
case $(ls -ldnL "$fd_dir") in ????????w*) fd_refuse open ;; esac
mkdir -p "$fd_app/own" "$fd_app/journal" || fd_refuse write "$fd_app"
: >>"$fd_dir/act.lock" && : >>"$fd_app/lease" || fd_refuse write "$fd_app"
[ -w "$fd_app/own" ] && [ -w "$fd_app/journal" ] || fd_refuse readonly "$fd_user"
fd_say data
{{template "end" .}}{{end}}

{{- /* The lease lives as long as this shell: the shell alone has descriptor 9, so
its death, however it comes, frees the lock. A line on stdin is a heartbeat; end of
file or silence ends the shell. Not under timeout: it has its own. */ -}}
{{- define "lease" -}}
{
umask 022
fd_app={{q .Dir}}/{{.App}}
fd_holder() { printf '%s\n' "$1" >"$fd_app/.holder" && mv -f "$fd_app/.holder" "$fd_app/holder"; }
fd_show() { printf '\n%s %s ' {{.Token}} "$1"; head -c 4000 "$fd_app/$1" 2>/dev/null | head -n 1; echo; }
command exec 9>>"$fd_app/lease" || { printf '\n%s dir\n' {{.Token}}; exit 97; }
flock -n 9 || { fd_show holder 9>&-; exit 97; }
{{- if not .Moving}}
[ ! -s "$fd_app/store" ] || { fd_show store 9>&-; exit 97; }
{{- end}}
{{- if not .Data.Override}}
[ ! -e "$fd_app/freeze" ] || { fd_show freeze 9>&-; exit 97; }
{{- end}}
rm -f "$fd_app/pause" 9>&- # meant for a run that was killed
fd_holder {{q .Data.Holder}} 9>&-
printf '\n%s held\n' {{.Token}}
while :; do
	fd_line=$(exec 9>&-; exec timeout {{.Data.Silence}} sh -c 'read -r line && printf %s "$line"' 2>/dev/null)
	case $fd_line in
	beat) ;;
	note\ *) fd_holder "${fd_line#note }" 9>&- ;;
	*) break ;;
	esac
	if [ -e "$fd_app/pause" ]; then echo P; else echo .; fi
done
rm -f "$fd_app/holder" "$fd_app/pause" 9>&-
exit 0
}
{{end}}

{{- define "fences"}}{{template "begin" .}}
fd_epoch=0
if [ -e "$fd_app/fence" ]; then read -r fd_epoch fd_rest <"$fd_app/fence" || fd_epoch=; fi
fd_say data
printf '%s\n' "$fd_epoch"
{{template "end" .}}{{end}}

{{- /* A fence only rises. */ -}}
{{- define "raise"}}{{template "begin" .}}{{template "files" .}}{{template "lock" .}}
[ "$fd_epoch" -lt {{.Data}} ] || fd_refuse fenced "$fd_epoch"
fd_put "$fd_app/fence" {{.Data}} || fd_refuse write fence
fd_say data
{{template "end" .}}{{end}}

{{- define "turn"}}{{template "begin" .}}{{template "files" .}}{{template "lock" .}}{{template "fence" .Data.Epoch}}
fd_sent={{.Data.Turn}}
{{template "turned"}}
fd_put "$fd_app/turn" "{{.Data.Epoch}} {{.Data.Turn}}" || fd_refuse write turn
fd_say data
{{template "end" .}}{{end}}

{{- define "append"}}{{template "begin" .}}{{template "files" .}}{{template "lock" .}}{{template "here" .}}{{template "fence" .Data.Epoch}}

fd_append "$fd_app/journal/{{.Data.File}}"{{range .Data.Lines}} {{q .}}{{end}} || fd_refuse write journal
fd_say data
{{template "end" .}}{{end}}

{{- /* One act: fence, marks, journaled intent, the driver, marks. */ -}}
{{- define "act"}}{{template "limited" .}}{{template "files" .}}{{template "lock" .}}{{template "fence" .Data.Epoch}}{{template "turned"}}
{{- if .Data.Claim}}{{template "unmarked" .Data}}{{template "budget" .Data}}{{end}}
{{- if .Data.Owned}}{{template "owned" .Data}}{{end}}
{{- if .Data.Leaves}}{{template "leaving" .Data}}{{end}}
{{- if .Data.Intent}}
fd_append "$fd_app/journal/{{.Data.File}}" {{q .Data.Intent}} || fd_refuse write journal
{{- end}}
fd_driver=
trap 'kill "$fd_driver" 2>/dev/null; fd_refuse timeout' TERM
(
{{.Data.Driver}}
) 9>&- </dev/null &
fd_driver=$!
wait "$fd_driver"
fd_exit=$?
{{- if .Data.Leaves}}{{template "stays"}}{{end}}
[ "$fd_exit" -eq 0 ] || exit "$fd_exit"
{{- if .Data.Claim}}{{template "mark" .Data}}{{end}}
{{- if .Data.Drop}}{{template "unmark" .Data}}{{end}}
{{template "end" .}}{{.Token}}
{{end}}

{{- /* No key may carry a mark of anyone else, of whatever app. What cannot be
read is somebody else's. fd_ours counts those that are ours already. */ -}}
{{- define "unmarked"}}
fd_ours=0
for fd_key in{{range .Keys}} {{q .}}{{end}}; do
	for fd_mark in "$fd_dir"/*/own/"$fd_key"; do
		[ -e "$fd_mark" ] || continue
		fd_r= fd_e= fd_h= fd_b= fd_w= fd_t=
		read -r fd_r fd_e fd_h fd_b fd_w fd_t <"$fd_mark"
		case "$fd_mark $fd_r $fd_h" in
{{- range .Mine}}
		"$fd_app/own/$fd_key {{.}} {{$.Host}}") fd_ours=$((fd_ours + 1)); continue ;;
{{- end}}
		esac
		fd_other=${fd_mark#"$fd_dir"/}
		fd_refuse mark "${fd_other%%/*}" "$fd_key" "${fd_r:-?}" "${fd_e:-?}" "${fd_h:-?}" "${fd_b:-?}" "${fd_w:-?}" "$fd_t"
	done
done
{{- end}}

{{- /* Hosts of any app that are out on the same upstreams, this one, those of hands
and those of ours that return by the same change aside, leave room for one more. A host that is ours already takes no more. */ -}}
{{- define "budget"}}
fd_out= fd_n=0
for fd_mark in{{range .Upstreams}} "$fd_dir"/*/own/{{q .}}@*{{end}}; do
	[ -e "$fd_mark" ] || continue
	fd_r= fd_h=
	read -r fd_r fd_e fd_h fd_rest <"$fd_mark"
	fd_mark=${fd_mark#"$fd_dir"/}
	fd_host=${fd_mark%%/*}/${fd_h:-?}
	case "$fd_r $fd_host" in
	'hand '* | *' {{.App}}/{{.Host}}'{{range .Beside}} | '{{$.Rollout}} {{$.App}}/{{.}}'{{end}}) continue ;;
	esac
	case " $fd_out " in *" $fd_host "*) continue ;; esac
	fd_out="$fd_out $fd_host" fd_n=$((fd_n + 1))
done
[ "$fd_ours" -eq {{len .Keys}} ] || [ "$fd_n" -lt {{.Parallel}} ] || fd_refuse budget $fd_out
{{- end}}

{{- /* Each key carries our mark of this epoch. To drop, some may be gone: a run
that died while it dropped them. All gone: dropped already, nothing is done. */ -}}
{{- define "owned"}}
fd_ours=0
for fd_pair in{{range .Pairs}} {{q .}}{{end}}; do
	fd_key=${fd_pair#*=} fd_host=${fd_pair%%=*}
	fd_r= fd_e= fd_h= fd_b= fd_w= fd_t=
	if [ -e "$fd_app/own/$fd_key" ]; then
		read -r fd_r fd_e fd_h fd_b fd_w fd_t <"$fd_app/own/$fd_key"
		[ "$fd_r $fd_e $fd_h" = "{{.Rollout}} {{.Epoch}} $fd_host" ] ||
			fd_refuse mark {{.App}} "$fd_key" "${fd_r:-?}" "${fd_e:-?}" "${fd_h:-?}" "${fd_b:-?}" "${fd_w:-?}" "$fd_t"
		fd_ours=$((fd_ours + 1))
{{- if not .Drop}}
	else
		fd_refuse mark {{.App}} "$fd_key"
{{- end}}
	fi
done
{{- if .Drop}}
[ "$fd_ours" -gt 0 ] || exit 0
{{- end}}
{{- end}}

{{- /* A crash between two keys leaves the host in rotation with some of its
marks: the same claim again writes them all. What a host was before our first act
is kept, and so is whether it was taken out since. */ -}}
{{- define "mark"}}
for fd_key in{{range .Keys}} {{q .}}{{end}}; do
	fd_b={{.Before}} fd_t=' claimed'
	[ ! -e "$fd_app/own/$fd_key" ] || read -r fd_r fd_e fd_h fd_b fd_w fd_t <"$fd_app/own/$fd_key"
	case $fd_t in *\ claimed) fd_t=' claimed' ;; *) fd_t= ;; esac
	fd_put "$fd_app/own/$fd_key" "{{.Rollout}} {{.Epoch}} {{.Host}} $fd_b {{.Who}} {{.When}}$fd_t" || fd_refuse write "own/$fd_key"
done
{{- end}}

{{- /* From here on what is out is out by us: the marks lose the word "claimed" before
the driver acts. One that refused, with 41, has done nothing, and they have it again; of one
that failed or was stopped nobody knows. */ -}}
{{- define "leaving"}}
fd_claimed=
for fd_key in{{range .Keys}} {{q .}}{{end}}; do
	read -r fd_mark <"$fd_app/own/$fd_key"
	case $fd_mark in
	*\ claimed)
		fd_put "$fd_app/own/$fd_key" "${fd_mark% claimed}" || fd_refuse write "own/$fd_key"
		fd_claimed="$fd_claimed $fd_key"
		;;
	esac
done
{{- end}}

{{- define "stays"}}
[ "$fd_exit" -ne 41 ] || for fd_key in $fd_claimed; do
	read -r fd_mark <"$fd_app/own/$fd_key" && fd_put "$fd_app/own/$fd_key" "$fd_mark claimed"
done
{{- end}}

{{- define "unmark"}}
rm -f{{range .Keys}} "$fd_app/own/"{{q .}}{{end}} && sync "$fd_app/own" || fd_refuse write own
{{- end}}

{{- define "marks"}}{{template "begin" .}}
fd_say data
for fd_mark in "$fd_dir"/*/own/*; do
	[ -f "$fd_mark" ] || continue
	fd_line=
	read -r fd_line <"$fd_mark"
	fd_key=${fd_mark##*/}
	fd_mark=${fd_mark#"$fd_dir"/}
	printf '%s %s %s\n' "${fd_mark%%/*}" "$fd_key" "$fd_line"
done
{{template "end" .}}{{end}}

{{- /* The newest journals as one stream, of which one piece is sent: an answer
has bounds. */ -}}
{{- define "journals"}}{{template "begin" .}}
{{template "here" .}}fd_say data
cd "$fd_app/journal" 2>/dev/null || exit 0
ls -t | head -n {{.Data.Count}} | while read -r fd_name; do
	case $fd_name in *.jsonl) printf '\n{"file":"%s"}\n' "$fd_name"; cat "./$fd_name" ;; esac
done | tail -c +{{.Data.From}} | head -c {{.Data.Size}}
{{template "end" .}}{{end}}
`

var scripts = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("scripts").Funcs(template.FuncMap{"q": shellescape.Quote}).Parse(text + handText + movedText))
})

// render makes a script; its pages are ours, so that it cannot fail.
func render(name string, p page) string {
	var b strings.Builder
	if err := scripts().ExecuteTemplate(&b, name, p); err != nil {
		panic(err)
	}
	return b.String()
}
