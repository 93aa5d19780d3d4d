package inventory

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A file of a tenth of what may be read is refused at once, however odd: all
// that grows with the square of its size would show here.
func TestLargeAndOddFilesEndSoon(t *testing.T) {
	setting(t)
	small, err := os.ReadFile(smallest)
	if err != nil {
		t.Fatal(err)
	}
	hosts := ""
	for i := range 10 {
		hosts += fmt.Sprintf("[[host]]\nname = \"h%d-[1:4000]\"\naddress = \"h%d-[1:4000]\"\n", i, i)
	}
	for name, data := range map[string]string{
		"unknown keys":  numbered("key%d = 1\n"),
		"tables":        numbered("[t%d]\n"),
		"empty hosts":   strings.Repeat("[[host]]\n", maxSize/64),
		"same hosts":    string(small) + strings.Repeat("[[host]]\nname = \"a\"\naddress = \"b\"\n", 700),
		"ranges":        string(small) + hosts,
		"deep lists":    "a = " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"deep tables":   "a = " + strings.Repeat("{a=", 4000) + "1" + strings.Repeat("}", 4000),
		"dotted key":    strings.Repeat("a.", maxSize/8) + "a = 1\n",
		"dotted header": "[" + strings.Repeat("a.", maxSize/8) + "a]\n",
		"long list":     "[app]\nport = [" + strings.Repeat("1,", maxSize/16) + "]\n",
		"long name":     "[app]\nname = \"" + strings.Repeat("a", maxSize/2) + "\"\n",
		"long labels":   string(small) + "labels = [" + numbered("'a%d',") + "]\n",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := Parse([]byte(data), "i.toml")
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
			if err != nil && len(err.Error()) > 30000 {
				t.Errorf("%d bytes of faults", len(err.Error()))
			}
		})
	}
}

func numbered(line string) string {
	var b strings.Builder
	for i := 0; b.Len() < maxSize/16; i++ {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}
