package openai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Client asks one server. It may be used by many goroutines.
type Client struct {
	options Options // resolved
	base    *url.URL
	http    *http.Client
	limits  *limits
	retries atomic.Int64
	sleep   func(ctx context.Context, d time.Duration) error // of the retries; a test replaces it
}

// New makes a client.
func New(o *Options) (*Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r := o.Resolved()
	base, err := r.base()
	if err != nil {
		return nil, err
	}
	transport := r.Transport
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = r.MaxConcurrent
		transport = own
	}
	c := &Client{options: r, base: base, limits: newLimits(&r), sleep: sleep}
	c.http = &http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	return c, nil
}

// BaseURL returns the address that is asked, without the key.
func (c *Client) BaseURL() string { return c.base.String() }

// Retries returns how many requests were sent again so far.
func (c *Client) Retries() int64 { return c.retries.Load() }

// Models lists what the server offers.
func (c *Client) Models(ctx context.Context) ([]Model, error) {
	var list ModelList
	err := c.do(ctx, &call{method: http.MethodGet, path: "/models", read: func(a *answer) (*Usage, error) { return nil, a.json(&list) }})
	return list.Data, err
}

// Chat asks for replies to a conversation and returns them whole. With r.Stream they are read as a stream: then a server
// that falls silent is found out, and when ctx ends the response holds what had come. A stream that breaks is asked anew
// from its beginning.
func (c *Client) Chat(ctx context.Context, r *ChatRequest) (*ChatResponse, error) {
	var response ChatResponse
	if r.Stream {
		var joined chatJoiner
		err := c.chatStream(ctx, r, joined.add, func() { joined, response = chatJoiner{}, ChatResponse{} }, &response)
		if response.Choices == nil {
			return joined.response(), err
		}
		return &response, err
	}
	err := c.post(ctx, "/chat/completions", r, chatWeight(r), func(a *answer) (*Usage, error) {
		response = ChatResponse{}
		err := a.json(&response)
		return response.Usage, err
	})
	return &response, err
}

// ChatStream asks for replies to a conversation and calls yield with each chunk; when yield returns an error the stream
// ends with it. Attempts end with the first chunk: a stream that breaks later is an error.
func (c *Client) ChatStream(ctx context.Context, r *ChatRequest, yield func(*ChatChunk) error) error {
	return c.chatStream(ctx, r, yield, nil, nil)
}

func (c *Client) chatStream(ctx context.Context, r *ChatRequest, yield func(*ChatChunk) error, anew func(), whole *ChatResponse) error {
	asked := *r
	asked.Stream = true
	inWhole := func(a *answer) (*Usage, error) {
		err := a.json(whole)
		return whole.Usage, err
	}
	see := func(chunk *ChatChunk, ends endings) *Usage {
		for i := range chunk.Choices {
			ends.see(chunk.Choices[i].Index, chunk.Choices[i].FinishReason)
		}
		return chunk.Usage
	}
	return c.post(ctx, "/chat/completions", &asked, chatWeight(r), readStream(yield, see, anew, inWhole))
}

// readStream reads a stream of chunks: see notes which replies have ended, and returns the usage if the chunk tells it. Where the caller can begin anew,
// a broken stream is asked again, and a server that knows no streams may answer in whole.
func readStream[T any](yield func(*T) error, see func(*T, endings) *Usage, anew func(), inWhole func(*answer) (*Usage, error)) func(*answer) (*Usage, error) {
	return func(a *answer) (usage *Usage, err error) {
		if anew != nil {
			anew()
			if !a.isStream() {
				return inWhole(a)
			}
		}
		ends := make(endings)
		err = a.events(anew != nil, func(data []byte) (bool, error) {
			var chunk T
			if err := a.decode(data, &chunk); err != nil {
				return false, err
			}
			if told := see(&chunk, ends); told != nil {
				usage = told
			}
			return ends.all(), asFinal(yield(&chunk))
		})
		return usage, err
	}
}

// Complete asks for continuations of a text and returns them whole; r.Stream is as in Chat.
func (c *Client) Complete(ctx context.Context, r *CompletionRequest) (*CompletionResponse, error) {
	var response CompletionResponse
	if r.Stream {
		var joined completionJoiner
		err := c.completeStream(ctx, r, joined.add, func() { joined, response = completionJoiner{}, CompletionResponse{} }, &response)
		if response.Choices == nil {
			return joined.response(), err
		}
		return &response, err
	}
	err := c.post(ctx, "/completions", r, completionWeight(r), func(a *answer) (*Usage, error) {
		response = CompletionResponse{}
		err := a.json(&response)
		return response.Usage, err
	})
	return &response, err
}

// CompleteStream asks for continuations of a text and calls yield with each chunk, as ChatStream does.
func (c *Client) CompleteStream(ctx context.Context, r *CompletionRequest, yield func(*CompletionResponse) error) error {
	return c.completeStream(ctx, r, yield, nil, nil)
}

func (c *Client) completeStream(ctx context.Context, r *CompletionRequest, yield func(*CompletionResponse) error, anew func(), whole *CompletionResponse) error {
	asked := *r
	asked.Stream = true
	inWhole := func(a *answer) (*Usage, error) {
		err := a.json(whole)
		return whole.Usage, err
	}
	see := func(chunk *CompletionResponse, ends endings) *Usage {
		for i := range chunk.Choices {
			ends.see(chunk.Choices[i].Index, chunk.Choices[i].FinishReason)
		}
		return chunk.Usage
	}
	return c.post(ctx, "/completions", &asked, completionWeight(r), readStream(yield, see, anew, inWhole))
}

// call is one request, however often it is sent.
type call struct {
	method, path string
	body         []byte
	weight       int  // tokens, guessed
	stream       bool // silence is an error
	read         func(a *answer) (*Usage, error)
}

func (c *Client) post(ctx context.Context, path string, request any, weight int, read func(a *answer) (*Usage, error)) error {
	body, err := marshal(request)
	if err != nil {
		return fmt.Errorf("openai: %w", err)
	}
	stream := bytes.Contains(body, []byte(`"stream":true`)) // no text can hold it: its quotes are escaped
	return c.do(ctx, &call{method: http.MethodPost, path: path, body: body, weight: weight + len(body)/4, stream: stream, read: read})
}

// do sends a request until it is answered, it cannot be helped by sending it again, or the attempts are used up.
func (c *Client) do(ctx context.Context, q *call) error {
	release, err := c.limits.enter(ctx)
	if err != nil {
		return err
	}
	defer release()
	for try := 0; ; try++ {
		if err := c.limits.wait(ctx, q.weight); err != nil {
			return err
		}
		usage, err := c.attempt(ctx, q)
		c.limits.count(usage, q.weight)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait, ok := c.again(err, try)
		if !ok {
			return c.clean(err)
		}
		if try >= c.options.Retries {
			if try == 0 {
				return c.clean(err)
			}
			return fmt.Errorf("after %d attempts: %w", try+1, c.clean(err))
		}
		c.retries.Add(1)
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// again says whether an attempt that failed may be repeated, and after how long.
func (c *Client) again(err error, try int) (time.Duration, bool) {
	// Doubling stops long before it could overflow.
	wait := min(c.options.FirstWait<<min(try, 16), c.options.MaxWait)
	if wait <= 0 {
		wait = c.options.MaxWait
	}
	wait = wait/2 + time.Duration(rand.Int64N(int64(wait/2)+1))
	var said *Error
	if errors.As(err, &said) {
		retry := said.Temporary() && said.RetryAfter <= c.options.MaxRetryAfter
		if said.RetryAfter > 0 {
			wait = said.RetryAfter
		}
		if retry && said.Status == 429 {
			c.limits.pause(wait) // what goes to the same server would be refused as well
		}
		return wait, retry
	}
	var final *finalError
	return wait, !errors.As(err, &final)
}

// finalError is an error that sending again would not mend.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// asFinal is a caller's own error.
func asFinal(err error) error {
	if err == nil {
		return nil
	}
	return &finalError{err}
}

func final(format string, args ...any) error {
	return &finalError{fmt.Errorf("openai: "+format, args...)}
}

// clean takes the key out of an error: servers like to repeat it.
func (c *Client) clean(err error) error {
	var said *Error
	if errors.As(err, &said) {
		cleaned := *said
		for _, text := range []*string{&cleaned.Message, &cleaned.Type, &cleaned.Param, &cleaned.Code} {
			*text = c.scrub(*text)
		}
		return &cleaned
	}
	return err
}

// scrub takes the key out of a text from outside. A key too short to be one is not looked for.
func (c *Client) scrub(text string) string {
	if len(c.options.Key) < 8 {
		return text
	}
	return strings.ReplaceAll(text, string(c.options.Key), "[secret]")
}

// attempt sends a request once and has the answer read.
func (c *Client) attempt(parent context.Context, q *call) (*Usage, error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	whole := time.AfterFunc(c.options.Timeout, func() { cancel(fmt.Errorf("openai: no whole answer within %v", c.options.Timeout)) })
	defer whole.Stop()
	body := &patient{wait: c.options.Idle, left: c.options.MaxResponse, limit: c.options.MaxResponse}
	if q.stream {
		body.idle = time.AfterFunc(body.wait, func() { cancel(fmt.Errorf("openai: the server was silent for %v", body.wait)) })
		defer body.idle.Stop()
	}
	request, err := http.NewRequestWithContext(ctx, q.method, c.base.String()+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, final("%w", err)
	}
	for name, values := range c.options.Header {
		request.Header[name] = values
	}
	if q.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", "application/json, text/event-stream")
	if c.options.Key != "" {
		request.Header.Set("Authorization", "Bearer "+string(c.options.Key))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, attemptError(ctx, err)
	}
	defer response.Body.Close()
	body.r = response.Body
	a := &answer{ctx: ctx, header: response.Header, scrub: c.scrub, body: body}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, a.failed(response.StatusCode)
	}
	return q.read(a)
}

// attemptError names why no answer came: a time-out that this package set says so itself.
func attemptError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var inner *finalError
	if errors.As(err, &inner) {
		return inner
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = fmt.Errorf("%s: %w", u.URL, u.Err)
		if isUseless(u.Err) {
			return final("%w", err)
		}
	}
	return fmt.Errorf("openai: %w", err)
}

// checkRedirect follows nothing that leaves the server: the prompt would go there, and perhaps the key.
func (c *Client) checkRedirect(request *http.Request, via []*http.Request) error {
	from := via[0]
	switch {
	case len(via) > 3:
		return final("more than 3 redirects")
	case request.URL.Host != from.URL.Host || request.URL.Scheme != from.URL.Scheme:
		return final("the server sends us on to %s://%s; try: that as the base URL, if it is to be trusted", request.URL.Scheme, request.URL.Host)
	case request.Method != from.Method:
		return final("the server sends us on to %s with another method; try: that as the base URL", request.URL.Path)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
