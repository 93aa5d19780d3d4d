package site

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/delta"
)

// Shipped tells how a release came to a host.
type Shipped struct {
	Sent int64  // bytes, 0 when it was there already
	How  string // of the way, "" when all bytes went as they are
	Note string // what kept a shorter way from being gone

	NoPull error // why the host did not fetch it by itself, though it could have been fetched
}

// Tell is told n bytes as they go out, of those that the way takes.
type Tell func(n, of int64)

// Ship returns once release id is complete on the host, its sha256 compared there. A
// shorter way that does not work out is given up for the plain one, once. Nothing that
// runs is touched.
func (s *Site) Ship(ctx context.Context, id string, c *Cargo, tell Tell) (Shipped, error) {
	if err := checkID(id); err != nil {
		return Shipped{}, err
	}
	if tell == nil {
		tell = func(int64, int64) {}
	}
	x := &shipment{Site: s, Cargo: c, tell: tell, vars: vars{"id": id, "hash": c.SHA256, "blobhash": c.sum,
		"size": strconv.FormatInt(c.Size, 10), "kind": string(c.wire())}}
	release, err := x.m.Hold(ctx)
	if err != nil {
		return Shipped{}, err
	}
	defer release()
	if err := x.m.Connect(ctx); err != nil {
		return Shipped{}, err
	}
	var end func()
	x.seen, end = x.look(ctx)
	defer end()
	defer func() { x.crew.dismiss() }()
	if err := x.ask(ctx); err != nil || x.found.have {
		return Shipped{}, err
	}
	if text := c.room(x.found.bytes, x.found.inodes); text != "" {
		text, hint := s.words("FD-NO-SPACE", text)
		return Shipped{}, &Error{text: text, code: "FD-NO-SPACE", hint: hint}
	}
	return x.ship(ctx)
}

// A shipment is one cargo on its way to one host.
type shipment struct {
	*Site
	*Cargo
	vars  vars
	tell  Tell
	found found
	seen  func() sight // as look has it
	crew  *crew
	note  string
	sent  int64

	help    *helper
	helpErr error // why there is none
}

// ask learns what the host has.
func (x *shipment) ask(ctx context.Context) error {
	x.vars["helper"], x.vars["interp"] = "", ""
	if x.Kind == File && x.Size >= small && x.Size <= delta.MaxSize && !x.o.Whole {
		x.vars["helper"] = "none" // old releases are told of all the same
		if x.help, x.helpErr = x.helper(); x.helpErr == nil {
			x.vars["helper"], x.vars["interp"] = x.help.hash, x.help.interp
		}
	}
	x.crew = x.muster(ctx)
	defer time.AfterFunc(astray, x.crew.dismiss).Stop()
	out, err := x.thorough(ctx, toolsLib+haveScript, x.vars)
	x.found = parseFound(string(out))
	if err == nil && x.crew != nil && x.seen().trip < farAway && x.o.RoundTrip == 0 {
		x.crew.dismiss() // it was busy, and is not far
	}
	return err
}

func (x *shipment) ship(ctx context.Context) (Shipped, error) {
	if x.From == nil || x.o.Whole || x.twin() != "" {
		return x.deliver(ctx)
	}
	err := x.pull(ctx)
	if !worthAnother(err) {
		return Shipped{Sent: x.sent, How: "fetched by the host"}, err
	}
	done, sent := x.deliver(ctx)
	done.NoPull = err
	return done, sent
}

// deliver sends the artifact from here.
func (x *shipment) deliver(ctx context.Context) (Shipped, error) {
	l := x.load(ctx)
	l.widen(x.channels(ctx, l))
	err := x.send(ctx, l)
	if (l.way != plain || l.channels > 1) && worthAnother(err) {
		x.note = fmt.Sprintf("%s did not work out: %s", l.how, err)
		l = x.whole()
		err = x.send(ctx, l)
	}
	return Shipped{Sent: x.sent, How: l.how, Note: x.note}, err
}

// worthAnother tells whether a way may have failed by itself, and not for what all ways
// share. A delta needs a little more room.
func worthAnother(err error) bool {
	var e *Error
	return errors.As(err, &e) && slices.Contains([]string{"FD-DELTA", "FD-PULL", "FD-STAGE-SHA", "FD-STAGE-SHORT", "FD-STAGE-WRITE", "FD-NO-SPACE"}, e.code)
}

// A load is what goes out on one way.
type load struct {
	way, how string
	r        io.Reader
	size     int64
	channels int // more than one: r can be read at any place
}

// widen has it go by n channels, where it can be cut.
func (l *load) widen(n int) {
	if _, can := l.r.(io.ReaderAt); !can || n < 2 {
		return
	}
	l.channels = n
	l.how = strings.TrimPrefix(fmt.Sprintf("%s, %d channels", l.how, n), ", ")
}

func (x *shipment) whole() load { return load{way: plain, r: x.Reader(), size: x.Size} }

// load chooses the way and makes what goes out. What cannot be made is noted.
func (x *shipment) load(ctx context.Context) load {
	if !x.MayShrink() || x.o.Whole {
		return x.whole()
	}
	if twin := x.twin(); twin != "" {
		x.vars["old"] = twin
		return load{way: copied, how: "a copy of " + twin, r: strings.NewReader("")}
	}
	t := x.road(ctx, x.still()).predict(x.Size, x.extra())
	if len(x.found.old) > 0 && t.deltaPays() {
		l, err := x.delta(ctx, t)
		if err == nil {
			return l
		}
		x.note = "no delta: " + err.Error()
	}
	return x.pressed(ctx, t)
}

// twin is a release of the host that has the same program, "" for none.
func (x *shipment) twin() string {
	for _, o := range x.found.old {
		if o.hash == x.SHA256 {
			return o.id
		}
	}
	return ""
}

// pressed is the artifact packed where that pays, else whole.
func (x *shipment) pressed(ctx context.Context, t times) load {
	tool := x.found.packer()
	if tool == "" || !t.packingPays() {
		return x.whole()
	}
	packed, err := x.packed(ctx, tool)
	if err != nil || packed.Size() >= x.Size {
		return x.whole()
	}
	return load{way: tool, how: "packed with " + tool, r: packed, size: packed.Size()}
}

// fetchFor is how many hosts must wait for a delta for its old bytes to be fetched.
const fetchFor = 4

// delta is the patch, and the helper where the host lacks it.
func (x *shipment) delta(ctx context.Context, t times) (load, error) {
	if x.helpErr != nil {
		return load{}, x.helpErr
	}
	if err := x.help.runsOn(x.found); err != nil {
		return load{}, err
	}
	old := x.pick(x.found.old)
	if !x.known(old.hash) && x.o.Hosts < fetchFor {
		return load{}, fmt.Errorf("the program of %s is not in the cache", old.id)
	}
	patch, err := x.patch(ctx, old, func(to io.Writer) error {
		x.crew.dismiss() // that needs a session
		ctx, cancel := context.WithTimeout(ctx, t.patience())
		defer cancel()
		return x.m.Fetch(ctx, x.script(`exec cat -- "$path/releases/$old/$entry"`, vars{"old": old.id}), to)
	})
	if err != nil {
		return load{}, err
	}
	var help []byte
	if !x.found.helper {
		if help, err = x.help.packed(); err != nil {
			return load{}, err
		}
	}
	x.vars["old"], x.vars["hsize"], x.vars["psize"] = old.id, strconv.Itoa(len(help)), strconv.Itoa(len(patch))
	return load{way: patched, how: "a delta to " + old.id, size: int64(len(help) + len(patch)),
		r: io.MultiReader(bytes.NewReader(help), bytes.NewReader(patch))}, nil
}

// extra is about what the helper adds to a delta.
func (x *shipment) extra() int64 {
	if x.help == nil || x.found.helper {
		return 0
	}
	return int64(float64(x.help.size) * packs)
}

// send brings the load to the host and has it made a release.
func (x *shipment) send(ctx context.Context, l load) error {
	if err := x.unchanged(); err != nil {
		return err
	}
	x.vars["how"] = l.way
	x.tell(0, l.size)
	text, err := x.stream(ctx, l)
	if err != nil {
		if changed := x.unchanged(); changed != nil {
			return changed
		}
		return x.explain(err)
	}
	if string(text) != "staged\n" {
		return fmt.Errorf("stage: the host answered %.100q", text)
	}
	return nil
}

// stageName names a directory to receive into, as none was named before.
func stageName() string { return rand.Text()[:8] }

// stream sends the load to the script that stages it.
func (x *shipment) stream(ctx context.Context, l load) ([]byte, error) {
	if at, can := l.r.(io.ReaderAt); can && l.channels > 1 {
		return x.wide(ctx, l, at)
	}
	x.vars["temp"], x.vars["parts"] = stageName(), ""
	first := x.crew.take(0)
	x.crew.dismiss()
	paced, end := x.paced(ctx, l.r)
	defer end()
	out := &counter{r: x.o.Limit.reader(ctx, paced), tell: func(n int64) { x.tell(n, l.size) }}
	text, err := x.perform(ctx, first, stageScript, x.vars, out)
	x.sent += out.n
	return text, err
}
