package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/retort-ml/retort/openai"
)

// guard keeps out what a foreign web page, or a stranger, sends.
type guard struct {
	hosts   []string
	origins []string
	keys    [][sha256.Size]byte
	// addresses lets numeric hosts in: a name that was bound to another address afterwards is none.
	addresses bool
}

func newGuard(o *Options) *guard {
	g := &guard{addresses: len(o.Keys) > 0}
	for _, h := range o.AllowHosts {
		g.hosts = append(g.hosts, strings.ToLower(h))
	}
	for _, origin := range o.AllowOrigins {
		g.origins = append(g.origins, strings.ToLower(strings.TrimSuffix(origin, "/")))
	}
	for _, key := range o.Keys {
		g.keys = append(g.keys, sha256.Sum256([]byte(key)))
	}
	return g
}

// check looks at a request, and returns why it is refused. open routes need no key.
func (g *guard) check(r *http.Request, open bool) *fault {
	forbid := func(code, message string) *fault {
		return &fault{status: http.StatusForbidden, kind: kindForbid, code: code, message: message}
	}
	origin := strings.ToLower(r.Header.Get("Origin"))
	known := slices.Contains(g.origins, origin)
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case !g.knowsHost(r.Host):
		return forbid("host_not_allowed", "the Host of the request is not one of this server; try: retort serve --allow-host NAME")
	case len(r.Header.Values("Origin")) > 1 || origin != "" && !known && origin != "http://"+strings.ToLower(r.Host) && origin != "https://"+strings.ToLower(r.Host):
		return forbid("origin_not_allowed", "pages of another origin may not use this server; try: retort serve --allow-origin ORIGIN")
	case (site == "cross-site" || site == "same-site") && !known && !isNavigation(r):
		return forbid("cross_site", "pages of another site may not use this server; try: retort serve --allow-origin ORIGIN")
	}
	if r.Method == http.MethodOptions && known {
		return nil // a browser asks what it may send, and has no key yet
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodDelete {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" {
			return &fault{status: http.StatusUnsupportedMediaType, kind: kindInvalid, code: "unsupported_media_type",
				message: "want Content-Type: application/json"}
		}
	}
	if !open && len(g.keys) > 0 && !g.opens(keyOf(r)) {
		return &fault{status: http.StatusUnauthorized, kind: kindKey, code: "invalid_api_key",
			message: "want a key of this server as Authorization: Bearer KEY, or as x-api-key"}
	}
	return nil
}

// isNavigation reports whether a person followed a link to a page.
func isNavigation(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// knowsHost reports whether the server is called by one of its names.
func (g *guard) knowsHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(name, "."), "["), "]"))
	if name == "localhost" || slices.Contains(g.hosts, name) {
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && (g.addresses || address.IsLoopback())
}

// keyOf is the key that a request brings.
func keyOf(r *http.Request) openai.Secret {
	if scheme, key, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return openai.Secret(strings.TrimSpace(key))
	}
	return openai.Secret(r.Header.Get("X-Api-Key"))
}

// opens compares a key with all of the server's in a time that tells nothing.
func (g *guard) opens(key openai.Secret) bool {
	sum, found := sha256.Sum256([]byte(key)), 0
	for i := range g.keys {
		found |= subtle.ConstantTimeCompare(sum[:], g.keys[i][:])
	}
	return found == 1
}

// caller names who asks, for fairness: a key, or an address where there are none.
func (g *guard) caller(r *http.Request) string {
	if len(g.keys) > 0 {
		sum := sha256.Sum256([]byte(keyOf(r)))
		return string(sum[:])
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// allowedHeaders are those that a page of an allowed origin may send: the ones that OpenAI's and Anthropic's clients put on each call.
const allowedHeaders = "Authorization, Content-Type, X-Api-Key, Anthropic-Version, Anthropic-Beta, Anthropic-Dangerous-Direct-Browser-Access, " +
	"OpenAI-Organization, OpenAI-Project, OpenAI-Beta, X-Stainless-Arch, X-Stainless-Async, X-Stainless-Custom-Poll-Interval, " +
	"X-Stainless-Helper-Method, X-Stainless-Lang, X-Stainless-OS, X-Stainless-Package-Version, X-Stainless-Poll-Helper, " +
	"X-Stainless-Retry-Count, X-Stainless-Runtime, X-Stainless-Runtime-Version, X-Stainless-Timeout"

// share lets a page of an allowed origin read the answer.
func (g *guard) share(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if len(g.origins) > 0 {
		h.Add("Vary", "Origin")
	}
	if origin := r.Header.Get("Origin"); origin != "" && slices.Contains(g.origins, strings.ToLower(origin)) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "X-Request-Id, X-Retort-Ignored, X-Retort-Warning, Retry-After")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
			h.Set("Access-Control-Allow-Headers", allowedHeaders)
			h.Set("Access-Control-Max-Age", "600")
		}
	}
}
