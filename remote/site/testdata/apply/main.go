// Command apply is a flipdeploy that can do nothing but apply deltas.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/flipdeploy/flipdeploy/remote/delta"
)

func main() {
	size, err := strconv.ParseInt(os.Args[5], 10, 64)
	if err == nil && os.Args[1] == delta.Verb {
		err = delta.ApplyFile(os.Stdout, os.Args[2], os.Args[3], os.Args[4], size, os.Args[6])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
