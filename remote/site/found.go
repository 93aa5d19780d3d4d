package site

import (
	"slices"
	"strings"
)

// What have.sh found on a host that has not got the release.
type found struct {
	have            bool
	bytes, inodes   int64
	system, machine string // uname -s and -m
	tools           []string
	old             []oldRelease // programs that the new one may be made of, the best first
	helper          bool         // is there, and ours to keep
	shut            bool         // nothing can be kept there safely
	lacks           string       // what the helper would need
}

type oldRelease struct{ id, hash string }

func parseFound(text string) found {
	f := found{bytes: -1, inodes: -1}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		first, second, _ := strings.Cut(value, " ")
		switch key {
		case "have":
			f.have = true
		case "free":
			f.bytes, f.inodes = parseFree(line)
		case "host":
			f.system, f.machine = first, second
		case "tool":
			f.tools = append(f.tools, value)
		case "old":
			if checkID(first) == nil && hexSHA256.MatchString(second) {
				f.old = append(f.old, oldRelease{first, second})
			}
		case "helper":
			f.helper = true
		case "shut":
			f.shut = true
		case "lacks":
			f.lacks = value
		}
	}
	return f
}

func (f found) has(tool string) bool { return slices.Contains(f.tools, tool) }

// packer is the host's best tool to unpack a stream with, "" for none.
func (f found) packer() string {
	for _, tool := range []string{"zstd", "gzip"} {
		if f.has(tool) {
			return tool
		}
	}
	return ""
}
