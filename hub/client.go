package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// maxRedirects is more than any hub takes: one to its store, one within it.
const maxRedirects = 8

// A permanent fault is not tried again.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// A busy server says how long to wait.
type busy struct {
	error
	wait time.Duration
}

func (b busy) Unwrap() error { return b.error }

// defaultTransport is shared, so that connections are used again.
var defaultTransport = func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true // sizes and ranges are those of the file
	return t
}()

func (o *Options) transport() http.RoundTripper {
	if o.Transport != nil {
		return o.Transport
	}
	return defaultTransport
}

// safeURL is an address without its query, which may hold a signature.
func safeURL(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// get follows redirects by hand, so that the token goes to the endpoint alone.
// prepare sets further headers. first is the header of the endpoint's own
// answer, which describes the file where a redirect leads away. The body is the
// caller's to close.
func (o *Options) get(ctx context.Context, address string, prepare func(http.Header)) (response *http.Response, first http.Header, err error) {
	if o.Offline {
		return nil, nil, permanent{ErrOffline}
	}
	origin, err := o.endpoint()
	if err != nil {
		return nil, nil, permanent{err}
	}
	at, err := url.Parse(address)
	if err != nil || at.Host == "" {
		return nil, nil, permanent{fmt.Errorf("address %.100q: want http or https", address)}
	}
	start := at
	for range maxRedirects {
		if at.Scheme != "https" && at.Scheme != "http" {
			return nil, nil, permanent{fmt.Errorf("address with scheme %.20q: want https", at.Scheme)}
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return nil, nil, permanent{err}
		}
		request.Header.Set("User-Agent", "retort")
		request.Header.Set("Accept-Encoding", "identity")
		if o.Token != "" && at.Scheme == origin.Scheme && strings.EqualFold(at.Host, origin.Host) {
			request.Header.Set("Authorization", "Bearer "+o.Token)
		}
		if prepare != nil {
			prepare(request.Header)
		}
		response, err := o.transport().RoundTrip(request)
		if err != nil {
			return nil, nil, err
		}
		if first == nil {
			first = response.Header
		}
		switch response.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return response, first, nil
		}
		next, err := response.Location()
		response.Body.Close()
		if err == nil {
			err = checkRedirect(start, at, next)
		}
		if err != nil {
			return nil, nil, permanent{fmt.Errorf("%s: redirect: %w", safeURL(at), err)}
		}
		at = next
	}
	return nil, nil, permanent{fmt.Errorf("%s: more than %d redirects", safeURL(start), maxRedirects)}
}

// checkRedirect refuses to leave encryption, and to be led from a public host
// into this machine or its network.
func checkRedirect(start, from, to *url.URL) error {
	if from.Scheme == "https" && to.Scheme != "https" {
		return fmt.Errorf("to %s, which is not encrypted", safeURL(to))
	}
	if isInner(to.Hostname()) && !isInner(start.Hostname()) {
		return fmt.Errorf("to %s, which is within this network", safeURL(to))
	}
	return nil
}

// isInner says whether a host is this machine or, written as an address, one of
// a private network.
func isInner(host string) bool {
	if host = strings.ToLower(strings.TrimSuffix(host, ".")); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	address = address.Unmap()
	return err == nil && (address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || address.IsUnspecified())
}

// statusError is an answer that is not the file. Faults of a busy server are
// tried again.
func statusError(response *http.Response, hasToken bool) error {
	err := fmt.Errorf("%s: %s", safeURL(response.Request.URL), response.Status)
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		if hasToken {
			return permanent{fmt.Errorf("%w: the token gives no access; the model's page may ask to accept its terms", err)}
		}
		return permanent{fmt.Errorf("%w: wrong name, or private; a token is read from HF_TOKEN", err)}
	case code == http.StatusNotFound || code == http.StatusGone:
		return permanent{fmt.Errorf("%w: no such model, revision or file", err)}
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // 0 where it is a date or absent
		return busy{err, time.Duration(max(0, min(seconds, 60))) * time.Second}
	}
	return permanent{err}
}

// watch returns a context that ends when nobody has called alive for the time,
// and stalled, which says whether that is why.
func watch(parent context.Context, silence time.Duration) (ctx context.Context, alive func(), stalled func() bool, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	var late atomic.Bool
	timer := time.AfterFunc(silence, func() {
		late.Store(true)
		cancel()
	})
	return ctx, func() { timer.Reset(silence) }, late.Load, func() {
		timer.Stop()
		cancel()
	}
}

// liveReader tells the watch of every byte.
type liveReader struct {
	io.Reader
	alive func()
}

func (r liveReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.alive()
	}
	return n, err
}

// again calls try until it succeeds, fails for good, or has failed too often in
// a row without progress. try says whether there was any.
func (o *Options) again(ctx context.Context, name string, try func() (progress bool, err error)) error {
	for failures := 0; ; {
		progress, err := try()
		var final permanent
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &final):
			return final.error
		}
		if progress {
			failures = 0
		}
		if failures++; failures > o.retries() {
			return fmt.Errorf("%w (given up after %d tries in a row)", err, failures)
		}
		o.report(Progress{Name: name, Retry: err})
		wait := min(time.Minute, o.pause()<<min(failures-1, 10))
		if b := (busy{}); errors.As(err, &b) {
			wait = max(wait, b.wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
