package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/server/internal/page"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/tokenizer"
)

// Grammars compiles what an answer must follow.
type Grammars interface {
	// Grammar is that of a JSON schema, or of a grammar in llama.cpp's notation; the other one is "".
	Grammar(schema, gbnf string) (engine.Grammar, error)
	// CallGrammar is that of an answer which may call tools.
	CallGrammar(c llm.Calls) (engine.Grammar, error)
}

// Model is a model that is ready to speak.
type Model struct {
	Engine    *engine.Engine
	Tokenizer *tokenizer.Tokenizer
	// Chat is how it is spoken to; nil, or without a template: in the form of Ask.
	Chat *chat.Config
	// Ask makes the prompt of one question, for a model without a template; nil: it only continues texts.
	Ask func(question string) chat.Prompt
	// Grammars is nil where schemas are refused.
	Grammars Grammars
	// Ends lists the ids by which it ends its turn.
	Ends []int32
	// Context is the most tokens of prompt and reply together; at least 2.
	Context int
	// Fingerprint names build and weights.
	Fingerprint string
	// Family, Parameters (a number) and Format describe it in Ollama's routes.
	Family     string
	Parameters int
	Format     string
	// Close gives back what it holds; it is called when nothing uses the model any more. nil: nothing.
	Close func() error
}

// ModelSpec is a model that can be loaded.
type ModelSpec struct {
	// ID names it in requests; it has no space and no @.
	ID string
	// Bytes is about what it takes in memory.
	Bytes int64
	// Created is when its file was made.
	Created time.Time
	// Digest names the state of its files in Ollama's lists, in 64 hexadecimal digits; "" derives it from ID, Bytes and Created.
	Digest string
	// Open loads it. It is called again after the model was unloaded, never twice at once.
	Open func(ctx context.Context) (*Model, error)
}

// Route is a further route behind the same checks, such as those of the page.
type Route struct {
	// Pattern is that of http.ServeMux, with a method.
	Pattern string
	Handler http.Handler
	// Open lets it be seen without a key, as a page that asks for one has to be.
	Open bool
}

// PageOptions say what the web page shows.
type PageOptions = page.Options

// pageRoutes are those of the page.
func pageRoutes(o *PageOptions) ([]Route, error) {
	if o == nil {
		return nil, nil
	}
	p, err := page.New(*o)
	if err != nil {
		return nil, err
	}
	var list []Route
	for _, pattern := range page.Patterns {
		list = append(list, Route{Pattern: pattern, Handler: p})
	}
	for _, pattern := range page.OpenPatterns {
		list = append(list, Route{Pattern: pattern, Handler: p, Open: true})
	}
	return list, nil
}

// Options say what is served, to whom, and at what cost. The zero value of each field but Models is its default.
type Options struct {
	// Models are those that can be asked for; the first one is loaded at once and answers requests that name none.
	Models []ModelSpec
	// Keys are those that open the server; without one it serves only loopback addresses.
	Keys []openai.Secret
	// Strict refuses fields that no specification knows.
	Strict bool
	// AllowHosts are names by which the server may be called beside localhost, AllowOrigins the origins of foreign pages
	// that may use it, such as https://chat.example.
	AllowHosts, AllowOrigins []string

	// Slots is how many requests are answered at once; 0 means 16. Queue is how many may wait beside them, KeyQueue how many
	// of one key, or of one address where there are no keys; 0 means 256 and three quarters of Queue.
	Slots, Queue, KeyQueue int
	// Memory bounds the sum of the bytes of loaded models; 0 means no bound. Idle is how long a model stays without a request; 0
	// means for good.
	Memory int64
	Idle   time.Duration

	// Ping is the time between signs of life in a stream, PadAfter the silence after which a reply at once begins with spaces; 0
	// means 15 s and 20 s.
	Ping, PadAfter time.Duration

	// Page says what the web page shows; nil: there is none.
	Page *PageOptions
	// Routes are mounted beside the server's own.
	Routes []Route
	// Version is told by Ollama's version route.
	Version string
	// Log gets one line per request, without what was said; nil: nothing is logged.
	Log *slog.Logger
}

// resolved returns the options with every default filled in.
func (o Options) resolved() Options {
	if o.Slots == 0 {
		o.Slots = 16
	}
	if o.Queue == 0 {
		o.Queue = 256
	}
	if o.KeyQueue == 0 {
		o.KeyQueue = max(1, o.Queue*3/4)
	}
	if o.Ping == 0 {
		o.Ping = 15 * time.Second
	}
	if o.PadAfter == 0 {
		o.PadAfter = 20 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate reports every fault in one error.
func (o *Options) Validate() error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("server: options: "+format, args...))
	}
	if len(o.Models) == 0 {
		bad("Models: got none, want at least one")
	}
	seen := map[string]bool{}
	for i, m := range o.Models {
		switch {
		case m.ID == "" || strings.ContainsFunc(m.ID, func(r rune) bool { return r <= ' ' || r == '@' || r == 0x7f }):
			bad("Models[%d].ID: got %q, want a name without space and @", i, m.ID)
		case seen[m.ID]:
			bad("Models[%d].ID: %q stands twice", i, m.ID)
		case m.Open == nil:
			bad("Models[%d].Open: got nil, want the function that loads %s", i, m.ID)
		}
		seen[m.ID] = true
	}
	for i, k := range o.Keys {
		if len(k) < 8 {
			bad("Keys[%d]: got %d bytes, want at least 8", i, len(k))
		}
	}
	for name, n := range map[string]int64{"Slots": int64(o.Slots), "Queue": int64(o.Queue), "KeyQueue": int64(o.KeyQueue),
		"Memory": o.Memory, "Idle": int64(o.Idle), "Ping": int64(o.Ping), "PadAfter": int64(o.PadAfter)} {
		if n < 0 {
			bad("%s: got %d, want 0 (the default) or more", name, n)
		}
	}
	return errors.Join(faults...)
}
