// Command behind is the site behind the apps that are proxies themselves: it answers
// with the version that the proxy names in X-Release, and is the same for all releases.
package main

import (
	"flag"
	"log"
	"net/http"

	"apps/web"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "`address` to listen on")
	flag.Parse()
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(&web.App{Version: r.Header.Get("X-Release"), Mode: "ok"}).Handler().ServeHTTP(w, r)
	})))
}
