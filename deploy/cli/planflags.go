package cli

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// planFlags are those that a plan was made with and that make it what it is, by name,
// as typed. One that was not given is not there.
type planFlags map[string]string

// A madeBy is a flag that makes a plan what it is: a *string, *int or *bool.
type madeBy struct {
	name  string
	value any
}

func (o *rolloutOptions) madeBy() []madeBy {
	return []madeBy{{"artifact", &o.artifact}, {"revision", &o.revision}, {"parallel", &o.parallel}, {"canary", &o.canary},
		{"min-serving", &o.minServing}, {"max-failures", &o.maxFail}, {"on-failure", &o.onFailure}, {"bake", &o.bake}, {"hosts", &o.hosts},
		{"skip-unreachable", &o.skip}, {"include-out", &o.outToo}, {"allow-downtime", &o.downtime}, {"no-undo", &o.noUndo}}
}

func (o *rolloutOptions) planFlags() planFlags {
	flags := planFlags{}
	for _, f := range o.madeBy() {
		if text := f.text(); text != "" {
			flags[f.name] = text
		}
	}
	return flags
}

// text is the value as typed, "" where it was not given.
func (f madeBy) text() string {
	switch v := f.value.(type) {
	case *string:
		return *v
	case *int:
		return unlessIs(fmt.Sprint(*v), "0")
	case *bool:
		return unlessIs(fmt.Sprint(*v), "false")
	}
	panic(fmt.Sprintf("a flag of the type %T", f.value))
}

func unlessIs(text, none string) string {
	if text == none {
		return ""
	}
	return text
}

// adopt takes over what the plan was made with. What was given beside it and differs
// is told; of the artifact not its path matters but its sha256.
func (o *rolloutOptions) adopt(plan planFlags) (differ []string, err error) {
	for _, f := range o.madeBy() {
		mine, theirs := f.text(), plan[f.name]
		switch {
		case mine == "" && theirs != "" && !o.refused(f):
			if err := f.take(theirs); err != nil {
				return nil, fmt.Errorf("--%s %q: %w", f.name, theirs, err)
			}
		case mine != theirs && f.name != "artifact":
			differ = append(differ, fmt.Sprintf("--%s %s, now %s", f.name, or(theirs, "not given"), or(mine, fmt.Sprint(reflect.ValueOf(f.value).Elem()))))
		}
	}
	return differ, nil
}

// refused tells that the flag was given as if it were not: --no-undo=false. An empty text
// is what scripts give for none.
func (o *rolloutOptions) refused(f madeBy) bool {
	_, text := f.value.(*string)
	return !text && slices.Contains(strings.Fields(o.given), f.name)
}

// take has the flag say what is typed.
func (f madeBy) take(typed string) (err error) {
	if text, is := f.value.(*string); is {
		*text = typed
		return nil
	}
	_, err = fmt.Sscan(typed, f.value)
	return err
}

// words are the flags as they are typed, the value of a switch left out.
func (f planFlags) words() string {
	var all []string
	for _, name := range sortedKeys(f) {
		all = append(all, "--"+name)
		if !slices.Contains([]string{"include-out", "allow-downtime", "no-undo"}, name) {
			all = append(all, shellWord(f[name]))
		}
	}
	return strings.Join(all, " ")
}
