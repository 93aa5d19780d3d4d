package site

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"io"
	"regexp"
	"strings"
)

// inspect learns revision and architecture from the program.
func (a *Artifact) inspect(program io.ReaderAt) {
	a.Machine = machine(program)
	a.Modules, a.Notify = goModules(program)
	if a.Revision = vcsRevision(program); a.Revision == "" {
		a.Revision = a.SHA256[:12]
	}
}

var plainRevision = regexp.MustCompile(`^[A-Za-z0-9._+-]+$`)

// vcsRevision is what Go's linker noted: twelve digits, and -dirty where files
// were not committed.
func vcsRevision(program io.ReaderAt) string {
	info, err := buildinfo.Read(program)
	if err != nil {
		return ""
	}
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && plainRevision.MatchString(s.Value):
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + dirty
}

// goModules are those that a Go program was built from, its own included.
func goModules(program io.ReaderAt) (modules []string, notify bool) {
	info, err := buildinfo.Read(program)
	if err != nil {
		return nil, false
	}
	if info.Main.Path != "" {
		modules = append(modules, info.Main.Path)
	}
	for _, d := range info.Deps {
		modules = append(modules, d.Path)
	}
	return modules, contains(program, []byte("os/signal.Notify"))
}

// contains reads on until it finds text.
func contains(r io.ReaderAt, text []byte) bool {
	b := make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(b) - len(text)) {
		n, err := r.ReadAt(b, at)
		if bytes.Contains(b[:n], text) {
			return true
		}
		if err != nil {
			return false
		}
	}
}

// A kind is machine and class of an ELF file.
type kind struct {
	machine elf.Machine
	class   elf.Class
}

var machines = map[kind]string{
	{elf.EM_X86_64, elf.ELFCLASS64}: "x86_64", {elf.EM_AARCH64, elf.ELFCLASS64}: "aarch64", {elf.EM_386, elf.ELFCLASS32}: "i686",
	{elf.EM_ARM, elf.ELFCLASS32}: "arm", {elf.EM_RISCV, elf.ELFCLASS64}: "riscv64", {elf.EM_PPC64, elf.ELFCLASS64}: "ppc64le",
	{elf.EM_S390, elf.ELFCLASS64}: "s390x", {elf.EM_LOONGARCH, elf.ELFCLASS64}: "loongarch64",
}

// foreign are the first bytes of programs that no Linux runs.
var foreign = map[string]string{
	"\xcf\xfa\xed\xfe": "macOS", "\xce\xfa\xed\xfe": "macOS", "MZ\x90\x00": "Windows", "MZ\x78\x00": "Windows",
}

// machine is what the program runs on, "" for a script.
func machine(program io.ReaderAt) string {
	f, err := elf.NewFile(program)
	if err != nil {
		var first [4]byte
		_, _ = program.ReadAt(first[:], 0) // what is shorter is no program of a kind that is known
		return foreign[string(first[:])]
	}
	if name, ok := machines[kind{f.Machine, f.Class}]; ok {
		return name
	}
	return f.Machine.String() + " " + f.Class.String()
}

// RunsOn tells whether a host whose uname -m says arch runs the program. What is
// not known is allowed: the program's start tells.
func (a *Artifact) RunsOn(arch string) bool {
	switch {
	case a.Machine == "", arch == "", a.Machine == arch:
		return true
	case a.Machine == "arm":
		return strings.HasPrefix(arch, "arm") || arch == "aarch64"
	case a.Machine == "i686":
		return arch == "x86_64" || len(arch) == 4 && arch[0] == 'i' && strings.HasSuffix(arch, "86")
	case a.Machine == "x86_64":
		return arch == "amd64"
	case a.Machine == "aarch64":
		return arch == "arm64"
	}
	return false
}

// debugPacked tells whether the program's debug information is compressed, which hides
// all likeness with another build's.
func (a *Artifact) debugPacked() bool {
	f, err := elf.NewFile(a.f)
	if err != nil {
		return false
	}
	for _, s := range f.Sections {
		if strings.HasPrefix(s.Name, ".zdebug_") || strings.HasPrefix(s.Name, ".debug_") && s.Flags&elf.SHF_COMPRESSED != 0 {
			return true
		}
	}
	return false
}
