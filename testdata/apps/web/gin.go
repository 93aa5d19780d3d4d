//go:build gin

package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// framework has gin route all requests, as an app written with it does.
func framework(h http.Handler) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(gin.Recovery())
	engine.Any("/*path", gin.WrapH(h))
	return engine
}
