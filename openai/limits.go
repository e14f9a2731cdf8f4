package openai

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"
)

// window is the time over which requests and tokens are counted.
const window = time.Minute

// limits holds requests back so that a server's limits are kept.
type limits struct {
	slots    chan struct{} // one value for each request under way
	turn     chan struct{} // holds one value: the right to be the next; so nobody is overtaken for ever
	requests int           // per window, 0 is no bound
	tokens   int
	now      func() time.Time

	mu     sync.Mutex
	sent   []sending // within the window, oldest first
	sum    int       // tokens of sent
	paused time.Time // nothing is sent before
}

// sending is a request that was sent.
type sending struct {
	at     time.Time
	tokens int
}

func newLimits(o *Options) *limits {
	l := &limits{slots: make(chan struct{}, o.MaxConcurrent), turn: make(chan struct{}, 1),
		requests: o.RequestsPerMinute, tokens: o.TokensPerMinute, now: time.Now}
	l.turn <- struct{}{}
	return l
}

// enter waits for one of the places, which release gives back.
func (l *limits) enter(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// wait waits until a request of so many tokens may be sent, and counts it.
func (l *limits) wait(ctx context.Context, tokens int) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	for {
		wait := l.admit(tokens)
		if wait == 0 {
			return ctx.Err()
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// admit counts a request if it may be sent now, or says when to ask again. A request of more tokens than the limit is
// sent when nothing else counts.
func (l *limits) admit(tokens int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if wait := l.paused.Sub(now); wait > 0 {
		return wait
	}
	if l.requests == 0 && l.tokens == 0 {
		return 0
	}
	for len(l.sent) > 0 && now.Sub(l.sent[0].at) >= window {
		l.sum -= l.sent[0].tokens
		l.sent = l.sent[1:]
	}
	full := l.requests > 0 && len(l.sent) >= l.requests || l.tokens > 0 && l.sum > 0 && l.sum+tokens > l.tokens
	if full && len(l.sent) > 0 {
		return max(time.Millisecond, l.sent[0].at.Add(window).Sub(now))
	}
	l.sent = append(l.sent, sending{now, tokens})
	l.sum += tokens
	return 0
}

// count replaces the guess of a request by what the server counted.
func (l *limits) count(u *Usage, guessed int) {
	if u == nil || l.tokens == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// Which of the sendings it was does not matter for the sum over the window, so the newest takes the difference.
	if n := len(l.sent); n > 0 {
		last := &l.sent[n-1]
		difference := max(u.PromptTokens+u.CompletionTokens-guessed, -last.tokens)
		last.tokens += difference
		l.sum += difference
	}
}

// pause holds everything back for a while.
func (l *limits) pause(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := l.now().Add(d); until.After(l.paused) {
		l.paused = until
	}
}

// chatWeight guesses the tokens of the replies.
func chatWeight(r *ChatRequest) int {
	most := r.MaxTokens
	if most == nil {
		most = r.MaxCompletionTokens
	}
	return weight(most, r.N)
}

func completionWeight(r *CompletionRequest) int { return weight(r.MaxTokens, r.N) }

func weight(most, n *int) int {
	w := 1024 // where the server decides
	if most != nil {
		w = max(0, min(*most, 1<<24))
	}
	if n != nil {
		w *= max(1, min(*n, maxChoices))
	}
	return w
}

// isUseless says whether an error of the connection will be the same the next time.
func isUseless(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return true
	}
	text := err.Error()
	for _, sign := range []string{"x509:", "tls: failed to verify", "server gave HTTP response to HTTPS client", "unsupported protocol scheme"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
