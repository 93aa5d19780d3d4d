package state

import (
	"context"
	"fmt"
	"strings"
)

// <app>/store says that lock, journal and freeze of the app are kept in a store beside the
// balancers, and in which: `etcd CLUSTER PREFIX ENDPOINTS`. Without that file they are here.
// All that is kept here is refused while it is there: two runs of which one looks there and
// one here would not see each other's locks and unfinished rollouts.

// A MovedError says that state is not kept where it was looked for.
type MovedError struct {
	App, Balancer string
	To            string // as <app>/store has it; "" is on the balancers
}

func (e *MovedError) Error() string {
	if e.To == "" {
		return fmt.Sprintf("%s: its state is kept on the balancers, says %s, and not in etcd", e.App, e.Balancer)
	}
	return fmt.Sprintf("%s: its state is kept elsewhere, says %s: %s", e.App, e.Balancer, e.To)
}

// Code is FD-STATE-MOVED.
func (e *MovedError) Code() string { return "FD-STATE-MOVED" }

// Hint is the next step.
func (e *MovedError) Hint() string {
	if e.To == "" {
		return `bring it there with "flipdeploy move etcd", or leave state.store out of the inventory`
	}
	return `name that store in state.store; from there "flipdeploy move balancers" brings it back`
}

func (s *Store) moved(to string) error {
	return &MovedError{App: s.app, Balancer: s.name, To: clean(strings.TrimSpace(to))}
}

// Moving is the store for whoever moves the state: what says that it is kept elsewhere
// keeps it from nothing.
func (s *Store) Moving() *Store {
	m := *s
	m.moving = true
	return &m
}

// KeptIn tells whether the state of the app is kept in the store of that line; false is
// nowhere yet, and with take it is from then on. Anything else is a *MovedError: state that
// lies here is never left behind by itself. Lines are of one store when their first three
// words are the same.
func (s *Store) KeptIn(ctx context.Context, line string, take bool) (bool, error) {
	out, err := s.ask(ctx, "see where state is kept", "keptin", claimant{}, keptIn{line, sameStore(line), take})
	return strings.TrimSpace(out) == "kept", err
}

// Move has the state of the app be kept in the store of that line, "" for here. The caller
// holds the lock in both, and epoch is that of the fences.
func (s *Store) Move(ctx context.Context, epoch int64, line string) error {
	_, err := s.ask(ctx, "say where state is kept", "move", claimant{epoch: epoch}, struct {
		Epoch int64
		Line  string
	}{epoch, line})
	return err
}

type keptIn struct {
	Line, Same string
	Take       bool
}

// sameStore is what lines of the same store begin with.
func sameStore(line string) string {
	words := strings.Fields(line)
	return strings.Join(words[:min(3, len(words))], " ") + " "
}

const movedText = `
{{- /* What is kept elsewhere is not looked for here. */ -}}
{{- define "here" -}}
{{if not .Moving}}[ ! -s "$fd_app/store" ] || fd_refuse moved "$(head -c 500 "$fd_app/store" | head -n 1)"
{{end}}{{end}}

{{- /* Under the lease: whoever keeps its state here could begin between the look and the
file. It is held for a moment, by whoever comes first. */ -}}
{{- define "keptin"}}{{template "begin" .}}{{template "files" .}}
{{- if .Data.Take}}
command exec 8>>"$fd_app/lease" || fd_refuse dir
fd_tries=0
until flock -n 8; do
	[ "$fd_tries" -lt 20 ] || fd_refuse stays
	fd_tries=$((fd_tries + 1))
	sleep 0.1 8>&- 2>/dev/null || sleep 1 8>&-
done
{{template "lock" .}}
{{- end}}
fd_is=
[ ! -s "$fd_app/store" ] || fd_is=$(head -c 500 "$fd_app/store" | head -n 1)
case "$fd_is " in
{{q .Data.Same}}*) fd_say data; echo kept; exit 0 ;;
" ") ;;
*) fd_refuse moved "$fd_is" ;;
esac
for fd_found in "$fd_app"/journal/*.jsonl "$fd_app/freeze"; do
	[ ! -e "$fd_found" ] || fd_refuse stays
done
{{- if .Data.Take}}
fd_put "$fd_app/store" {{q .Data.Line}} || fd_refuse write store
{{- end}}
fd_say data
{{template "end" .}}{{end}}

{{- define "move"}}{{template "begin" .}}{{template "files" .}}{{template "lock" .}}{{template "fence" .Data.Epoch}}
{{- if .Data.Line}}
fd_put "$fd_app/store" {{q .Data.Line}} || fd_refuse write store
{{- else}}
rm -f "$fd_app/store" && sync "$fd_app" || fd_refuse write store
{{- end}}
fd_say data
{{template "end" .}}{{end}}
`
