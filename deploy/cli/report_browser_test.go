//go:build browser

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// looking says what is wrong with a page, to a person: what sticks out to the side, what is
// too small, too faint, or not there at all.
const looking = `(wide => { // not innerWidth: a phone makes room for what is too wide
	const wrong = [];
	const rgb = c => { const [r, g, b, a] = (c.match(/[\d.]+/g) || []).map(Number); return a === 0 ? null : [r, g, b] };
	const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c) return c } return [255, 255, 255] };
	const said = new Set();
	const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; n = text.nextNode();) {
		if (!n.data.trim()) continue;
		const range = document.createRange(); range.selectNodeContents(n);
		const e = n.parentElement, style = getComputedStyle(e), box = range.getBoundingClientRect(), name = JSON.stringify(n.data.trim().slice(0, 40));
		if (box.width === 0) continue;
		if (box.left < -.5 || box.right > wide + .5) wrong.push(name + " reaches from " + box.left + " to " + box.right);
		if (parseFloat(style.fontSize) < 12) wrong.push(name + " is " + style.fontSize + " high");
		const [hi, lo] = [light(rgb(style.color)), light(behind(e))].sort((a, b) => b - a), contrast = (hi + .05) / (lo + .05);
		if (contrast < 4.5) wrong.push(name + " has a contrast of " + contrast.toFixed(2));
		said.add(e.tagName);
	}
	if (document.documentElement.scrollWidth > wide) wrong.push("scrolls to the side: " + document.documentElement.scrollWidth + " in " + wide);
	for (const tag of ["H1", "H2", "DT", "DD", "CODE", "TD", "FIGCAPTION", "LI"]) if (!said.has(tag)) wrong.push("no text in " + tag);
	for (const bar of document.querySelectorAll(".bar i, .load i")) {
		const box = bar.getBoundingClientRect();
		if (box.width < 1 || box.height < 1 || box.right > wide + .5) wrong.push("a bar of " + box.width + " x " + box.height + " to " + box.right);
	}
	const ticks = [...document.querySelectorAll(".ticks")].filter(t => t.offsetParent);
	for (const t of ticks) { let end = -1; for (const s of t.children) { const box = s.getBoundingClientRect(); if (box.left < end) wrong.push("ticks on each other: " + s.textContent); end = box.right } }
	return {wrong, bars: document.querySelectorAll(".bar i, .load i").length, page: behind(document.body)};
})(%d)`

// pageAt is the page of a journal, where a browser finds it.
func pageAt(t *testing.T, page string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	write(t, file, page)
	return "file://" + file
}

// A person on a phone or at a desk, by day or at night, can read the page, and the
// browser has nothing to complain about.
func TestBrowserShowsTheReportToEverybody(t *testing.T) {
	long := func(s string) string { return s + strings.Repeat("-a-long-name", 8) }
	pages := map[string]string{"plain": pageAt(t, pageOf(t, journalOf(plain))), "long names": pageAt(t, pageOf(t, journalOf(long)))}
	b := startBrowser(t)
	for name, url := range pages {
		for _, width := range []int{360, 1440} {
			for _, scheme := range []string{"light", "dark"} {
				b.show(url, width, scheme)
				var got struct {
					Wrong []string
					Bars  int
					Page  [3]int
				}
				b.eval(fmt.Sprintf(looking, width), &got)
				for _, w := range got.Wrong {
					t.Errorf("%s, %d px, %s: %s", name, width, scheme, w)
				}
				if dark := got.Page[0] < 128; dark != (scheme == "dark") || got.Bars < 8 {
					t.Errorf("%s, %d px, %s: the page is %v, with %d bars", name, width, scheme, got.Page, got.Bars)
				}
				keep(t, fmt.Sprintf("%s-%d-%s.png", strings.ReplaceAll(name, " ", "-"), width, scheme), b.picture())
			}
		}
	}
	for _, said := range b.trouble {
		t.Errorf("the console says %s", said)
	}
}

// A test that cannot fail shows nothing: these are seen.
func TestBrowserSeesWhatIsWrong(t *testing.T) {
	b := startBrowser(t)
	for want, html := range map[string]string{
		"scrolls to the side": `<div style="width: 500px">wide</div>`,
		"is 9px high":         `<p style="font-size: 9px">small</p>`,
		"has a contrast of":   `<p style="color: #bbb">faint</p>`,
		"no text in H1":       `<p>short</p>`,
		"a bar of 0 x 20 to":  `<div class="bar"><i style="display: block; width: 0; height: 20px"></i></div>`,
	} {
		b.show(pageAt(t, `<!doctype html><meta name="viewport" content="width=device-width"><body>`+html), 360, "light")
		var got struct{ Wrong []string }
		b.eval(fmt.Sprintf(looking, 360), &got)
		if !strings.Contains(strings.Join(got.Wrong, "\n"), want) {
			t.Errorf("%s: %q", want, got.Wrong)
		}
	}
	b.show(pageAt(t, `<!doctype html><script>nothing.at.all</script>`), 360, "light")
	if !strings.Contains(strings.Join(b.trouble, "\n"), "nothing is not defined") {
		t.Errorf("an error on the page is not seen: %q", b.trouble)
	}
}

// keep leaves a picture where BROWSER_PICTURES says.
func keep(t *testing.T, name string, picture []byte) {
	t.Helper()
	if len(picture) < 1000 || string(picture[1:4]) != "PNG" {
		t.Errorf("%s: no picture: %d bytes", name, len(picture))
	}
	if dir := os.Getenv("BROWSER_PICTURES"); dir != "" {
		write(t, filepath.Join(dir, name), string(picture))
	}
}
