package openai

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Secret is a key. Printing it, with any verb, and writing it as JSON show that there is one, and no more.
type Secret string

// Format writes a stand-in.
func (s Secret) Format(f fmt.State, _ rune) {
	if s != "" {
		_, _ = io.WriteString(f, "[secret]") // as fmt itself does, without a way to fail
	}
}

// MarshalJSON writes a stand-in.
func (s Secret) MarshalJSON() ([]byte, error) { return marshal(fmt.Sprint(s)) }

// Options say which server is asked, and what it may cost. The zero value of each field but BaseURL is its default.
type Options struct {
	// BaseURL is what stands before /chat/completions, such as http://127.0.0.1:8000/v1. An address without a path gets
	// /v1.
	BaseURL string
	// Key is sent as a bearer token; "" sends none. It is the caller's to find: this package reads no environment.
	Key Secret
	// Header is sent with every request.
	Header http.Header

	// Retries is how often a request is sent again after 408, 409, 429, 5xx or a broken connection; 0 means 6, -1 none.
	Retries int
	// FirstWait is about the wait before the first retry; each further one is twice as long, up to MaxWait, and each is
	// shortened by up to half at random, so that clients do not return together. 0 means 500 ms and 30 s.
	FirstWait, MaxWait time.Duration
	// MaxRetryAfter is the longest wait that a server may ask for; one that asks for more has failed. 0 means 5 min.
	MaxRetryAfter time.Duration
	// Timeout bounds one attempt from the first byte sent to the last one read; 0 means 2 h, since a long thought on a
	// small machine takes that long. Idle bounds the silence within a stream and before it; pings count as sound. 0 means 10 min.
	Timeout, Idle time.Duration

	// MaxConcurrent is the most requests under way at a time; 0 means 64.
	MaxConcurrent int
	// RequestsPerMinute and TokensPerMinute bound what is sent in any 60 seconds; 0 means no bound. The tokens of a request
	// are guessed until the server has counted them (a quarter of its bytes, and all tokens that it allows for).
	RequestsPerMinute, TokensPerMinute int
	// MaxResponse is the most bytes of one reply, streamed or not; 0 means 256 MiB.
	MaxResponse int64

	// Transport does the round trips; nil means one of the client's own, with HTTP's usual proxies.
	Transport http.RoundTripper
}

// Resolved returns the options with every default filled in.
func (o Options) Resolved() Options {
	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	def(&o.FirstWait, 500*time.Millisecond)
	def(&o.MaxWait, 30*time.Second)
	def(&o.MaxRetryAfter, 5*time.Minute)
	def(&o.Timeout, 2*time.Hour)
	def(&o.Idle, 10*time.Minute)
	if o.Retries == 0 {
		o.Retries = 6
	}
	if o.MaxConcurrent == 0 {
		o.MaxConcurrent = 64
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = 256 << 20
	}
	return o
}

// Validate reports every fault in one error.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("openai: "+format, args...)) }
	if _, err := o.base(); err != nil {
		faults = append(faults, err)
	}
	if strings.ContainsFunc(string(o.Key), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		fault("the key holds a space or a sign that no header may have")
	}
	if o.Retries < -1 {
		fault("retries: got %d, want at least 0, or -1 for none", o.Retries)
	}
	for name, d := range map[string]time.Duration{"first wait": o.FirstWait, "max wait": o.MaxWait, "max retry-after": o.MaxRetryAfter,
		"timeout": o.Timeout, "idle": o.Idle} {
		if d < 0 {
			fault("%s: got %v, want at least 0", name, d)
		}
	}
	for name, n := range map[string]int64{"max concurrent": int64(o.MaxConcurrent), "requests per minute": int64(o.RequestsPerMinute),
		"tokens per minute": int64(o.TokensPerMinute), "max response": o.MaxResponse} {
		if n < 0 {
			fault("%s: got %d, want at least 0", name, n)
		}
	}
	return errors.Join(faults...)
}

// base is the base URL without a slash at its end.
func (o *Options) base() (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(o.BaseURL))
	switch {
	case err != nil: // the error would repeat the URL, and with it a password
		return nil, errors.New("openai: the base URL cannot be read, want such as http://127.0.0.1:8000/v1")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("openai: base URL: got %q, want http:// or https:// and a host", u.Redacted())
	case u.User != nil:
		return nil, errors.New("openai: base URL: got a name or a password in it, want the key apart")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("openai: base URL: got a query or a fragment, want %s://%s%s", u.Scheme, u.Host, u.Path)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	if u.Path == "" {
		u.Path = "/v1"
	}
	return u, nil
}
