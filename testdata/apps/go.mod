module apps

go 1.26.0

require (
	github.com/cloudflare/tableflip v1.2.3
	golang.org/x/text v0.43.0
)
