package web

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"log"
	"net/http"
	"sync"
	"time"
)

// tunnels are the upgraded connections: Shutdown knows nothing of them.
var tunnels sync.WaitGroup

// tunnel is what a websocket looks like to a balancer: a connection upgraded by the
// book (RFC 6455 section 4.2.2) that ends when the client does.
func (a *App) tunnel(w http.ResponseWriter, r *http.Request) {
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	tunnels.Add(1)
	defer tunnels.Done()
	defer conn.Close()
	fmt.Fprintf(buf, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\nX-Version: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(accept[:]), a.Version)
	for buf.Flush() == nil {
		time.Sleep(100 * time.Millisecond)
		fmt.Fprintf(buf, "tick %s\n", a.Version)
	}
}

// awaitTunnels returns when the last one has ended, or ctx.
func awaitTunnels(ctx context.Context) {
	done := make(chan struct{})
	go func() { tunnels.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		log.Print("tunnels are still open, closing them")
	}
}
