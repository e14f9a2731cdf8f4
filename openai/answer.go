package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// patient reads a body, and notes each sign of life.
type patient struct {
	r           io.Reader
	idle        *time.Timer // goes off after the wait; nil where silence is no fault
	wait        time.Duration
	left, limit int64
}

func (p *patient) Read(b []byte) (int, error) {
	if p.left < 0 {
		return 0, final("the answer has more than %d bytes", p.limit)
	}
	n, err := p.r.Read(b)
	if n > 0 {
		if p.idle != nil {
			p.idle.Reset(p.wait)
		}
		p.left -= int64(n)
	}
	return n, err
}

// answer is what the server sends after a good status.
type answer struct {
	ctx    context.Context
	header http.Header
	body   *patient
	scrub  func(text string) string
}

// json reads the whole answer as one value. An error object under a good status, as servers send that had begun to
// answer, is an *Error.
func (a *answer) json(into any) error {
	text, err := io.ReadAll(a.body)
	if err != nil {
		return attemptError(a.ctx, err)
	}
	return a.decode(text, into)
}

func (a *answer) decode(text []byte, into any) error {
	if e := errorIn(text); e != nil {
		return e
	}
	if err := json.Unmarshal(text, into); err != nil {
		kind := a.header.Get("Content-Type")
		// A cut answer may be whole the next time; a page in HTML will not.
		if text = bytes.TrimSpace(text); len(text) > 0 && text[0] != '{' {
			return final("got %s (%s), want JSON; try: another base URL", clip(a.scrub(string(text)), 60), kind)
		}
		return fmt.Errorf("openai: got %s, which cannot be read: %w", clip(a.scrub(string(text)), 60), err)
	}
	return nil
}

// failed reads what a bad status says about itself.
func (a *answer) failed(status int) error {
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(a.body, most))
	if err != nil && a.ctx.Err() != nil {
		return attemptError(a.ctx, err)
	}
	e := parseError(status, text)
	e.RetryAfter = retryAfter(a.header, time.Now())
	switch a.header.Get("X-Should-Retry") {
	case "true":
		e.retry = new(true)
	case "false":
		e.retry = new(false)
	}
	return e
}

// retryAfter is how long a server wants to be left alone.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const longest = 365 * 24 * time.Hour
	var n float64
	if _, err := fmt.Sscanf(h.Get("Retry-After-Ms"), "%g", &n); err == nil && n >= 0 {
		return time.Duration(min(n, float64(longest/time.Millisecond)) * float64(time.Millisecond))
	}
	text := h.Get("Retry-After")
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	if _, err := fmt.Sscanf(text, "%g", &n); err == nil && n >= 0 {
		return time.Duration(min(n, longest.Seconds()) * float64(time.Second))
	}
	return 0
}

// isStream says whether the answer may be events: some servers do not name them.
func (a *answer) isStream() bool {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err != nil || kind != "application/json" && kind != "text/html"
}
