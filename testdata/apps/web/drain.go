package web

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"
)

// drainFor is for the last requests of the old process.
const drainFor = 30 * time.Second

// Drain returns once every request in flight is answered, and every tunnel ended.
func (a *App) Drain(srv *http.Server) error {
	log.Printf("draining: %d requests in flight", a.InFlight())
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return fmt.Errorf("drain: %d requests unanswered: %w", a.InFlight(), err)
	}
	awaitTunnels(ctx)
	log.Print("drained, gone")
	return nil
}
