//go:build browser

package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A browser is a real headless Chromium, spoken to through its pipe (the DevTools
// protocol, lines that end with a zero byte). Nothing listens on a port.
type browser struct {
	t       *testing.T
	to      *os.File
	said    chan reply
	session string
	last    int
	trouble []string // what its console and its log had to say
}

// A reply is an answer, or an event that nobody asked for.
type reply struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct{ Message string }
}

// startBrowser is an empty page of one; it ends with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	toIt, to := pipe(t)
	from, fromIt := pipe(t)
	cmd := exec.Command(chromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{toIt, fromIt} // 3 and 4, as it wants them
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = toIt.Close(), fromIt.Close() // its own by now
	b := &browser{t: t, to: to, said: make(chan reply, 1000)}
	go b.listen(from)
	t.Cleanup(func() {
		b.session = ""
		b.call("Browser.close", nil, nil)
		if err := cmd.Wait(); err != nil {
			t.Errorf("chromium: %v", err)
		}
		for range b.said { // until it hung up
		}
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no chromium is here: apt-get install chromium-headless-shell")
	return ""
}

func (b *browser) listen(from *os.File) {
	defer close(b.said)
	for in := bufio.NewReader(from); ; {
		text, err := in.ReadString(0)
		if err != nil {
			return
		}
		var r reply
		if json.Unmarshal([]byte(strings.TrimSuffix(text, "\x00")), &r) == nil {
			b.said <- r
		}
	}
}

// call returns once the browser has answered.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.last++
	text, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": orEmpty(params), "sessionId": b.session})
	if b.session == "" {
		text, err = json.Marshal(map[string]any{"id": b.last, "method": method, "params": orEmpty(params)})
	}
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	r := b.until(method, func(r reply) bool { return r.ID == b.last })
	if r.Error != nil {
		err = errors.New(r.Error.Message)
	} else if result != nil {
		err = json.Unmarshal(r.Result, result)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

func orEmpty(params map[string]any) map[string]any {
	if params == nil {
		return map[string]any{}
	}
	return params
}

// until is the first reply that is wanted; what the console says meanwhile is kept.
func (b *browser) until(what string, wanted func(reply) bool) reply {
	b.t.Helper()
	for late := time.After(60 * time.Second); ; {
		select {
		case r, ok := <-b.said:
			switch {
			case !ok:
				b.t.Fatalf("%s: chromium is gone", what)
			case wanted(r):
				return r
			case r.Method == "Log.entryAdded", r.Method == "Runtime.exceptionThrown", r.Method == "Runtime.consoleAPICalled":
				b.trouble = append(b.trouble, string(r.Params))
			}
		case <-late:
			b.t.Fatalf("%s: no answer", what)
		}
	}
}

// show has the page at url laid out for a screen of that width and scheme.
func (b *browser) show(url string, width int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.until("load "+url, func(r reply) bool { return r.Method == "Page.loadEventFired" })
}

// eval is what an expression is worth on the page, whatever the page lets scripts do.
func (b *browser) eval(expression string, value any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, answer.ExceptionDetails)
	}
	if err := json.Unmarshal(answer.Result.Value, value); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// picture is the whole page as a PNG.
func (b *browser) picture() []byte {
	b.t.Helper()
	var shot struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	return shot.Data
}
