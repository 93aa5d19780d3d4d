// Command plain listens and knows nothing of signals, as most programs.
package main

import (
	"flag"
	"net"
	"os"
	"strconv"
)

func main() {
	addr := flag.String("addr", "", "address to listen on")
	pidfile := flag.String("pidfile", "", "written once ready")
	flag.Parse()
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		os.Exit(1)
	}
	os.WriteFile(*pidfile, []byte(strconv.Itoa(os.Getpid())), 0o644)
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		c.Write([]byte("plain\n"))
		c.Close()
	}
}
