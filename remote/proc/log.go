package proc

import (
	"context"
	_ "embed"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flipdeploy/flipdeploy/remote"
)

//go:embed log.sh
var logScript string

const (
	logLines = 20
	logWidth = 300
)

// Log is the last 20 lines of the app's own log, cleaned; none when it cannot be read.
func (a *App) Log(ctx context.Context) []string { return a.readLog(ctx, 0, 0) }

// readLog reads what was written since a time, or behind a position in the file.
func (a *App) readLog(ctx context.Context, since, from int64) []string {
	notes, when := "", ""
	if a.helper.pid > 0 {
		notes = a.notes()
	}
	if since > 0 {
		when = strconv.FormatInt(since, 10)
	}
	out, err := a.run.Run(ctx, header(map[string]string{
		"unit": a.cfg.Unit, "log": a.cfg.Log, "since": when, "from": strconv.FormatInt(from, 10),
		"sudo": onOff(a.cfg.Sudo), "notes": notes,
	})+logScript)
	if err != nil {
		return nil
	}
	return clean(string(out))
}

// clean bounds what the app wrote and takes out what would act on a terminal or a
// CI system.
func clean(text string) []string {
	var list []string
	for line := range strings.Lines(remote.Clean(text)) {
		if line = strings.TrimRight(line, " \t\n"); line != "" {
			list = append(list, cut(line))
		}
	}
	return list[max(0, len(list)-logLines):]
}

func cut(line string) string {
	if len(line) <= logWidth {
		return line
	}
	end := logWidth
	for !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + "…"
}
