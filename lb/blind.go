package lb

import "context"

// Blind says why HAProxy counts no requests of hosts for whoever compares them, and what
// mends it; "" where it does.
func (h *HAProxy) Blind(ctx context.Context) (string, error) {
	s, err := h.look(ctx, "")
	if err != nil {
		return "", err
	}
	for host := range h.cfg.Hosts {
		for _, v := range s.of(host) {
			if v.mode != "http" {
				return v.pool + ` has mode ` + v.mode + `: no requests are counted; "mode http" in it mends that`, nil
			}
		}
	}
	return "", nil
}

// Blind is the same of nginx.
func (n *Nginx) Blind(ctx context.Context) (string, error) {
	s, err := n.look(ctx, lookFiles)
	if err != nil || len(s.conf.accessLogs()) > 0 {
		return "", err
	}
	return "no access log says which host answered what: no requests are counted; mend that with a log_format that has $upstream_addr and $upstream_status, " +
		"and an access_log of it without buffer, gzip and if", nil
}
