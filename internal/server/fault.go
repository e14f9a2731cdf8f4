package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/retort-ml/retort/engine"
)

// fault is why a request is not served.
type fault struct {
	status  int
	kind    string // the type of OpenAI's error
	code    string // a name for programs, or ""
	param   string // the field at fault, or ""
	message string
	// prompt and context are the counts of a prompt that is too long.
	prompt, context int
	retryAfter      time.Duration // 0: no word on it
}

func (f *fault) Error() string { return f.message }

// The types of errors in OpenAI's dialect.
const (
	kindInvalid  = "invalid_request_error"
	kindOverflow = "exceed_context_size_error" // llama.cpp's name, by which routers know it
	kindKey      = "authentication_error"
	kindForbid   = "permission_error"
	kindMissing  = "not_found_error"
	kindBusy     = "overloaded_error"
	kindServer   = "server_error"
)

// bad is a fault of one field.
func bad(param, format string, args ...any) *fault {
	message := fmt.Sprintf(format, args...)
	if param != "" {
		message = param + ": " + message
	}
	return &fault{status: http.StatusBadRequest, kind: kindInvalid, code: "invalid_value", param: param, message: message}
}

// unsupported is a field that is known and not done.
func unsupported(param, format string, args ...any) *fault {
	f := bad(param, format, args...)
	f.code = "unsupported_parameter"
	return f
}

func overflow(prompt, context int) *fault {
	return &fault{
		status: http.StatusBadRequest, kind: kindOverflow, code: "context_length_exceeded", prompt: prompt, context: context,
		message: fmt.Sprintf("the prompt has %d tokens, and the context %d, of which the reply needs at least one: shorten the prompt", prompt, context),
	}
}

func missing(format string, args ...any) *fault {
	return &fault{status: http.StatusNotFound, kind: kindMissing, message: fmt.Sprintf(format, args...)}
}

// statusGone is nginx's status of a client that did not wait, which nobody but the log will read.
const statusGone = 499

// asFault makes a fault of any error; what it does not know is the server's.
func asFault(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	var refused *engine.RequestError
	if errors.As(err, &refused) {
		return bad("", "%s", refused.Reason)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &fault{status: statusGone, kind: kindInvalid, code: "request_cancelled", message: "the request was cancelled"}
	}
	return &fault{status: http.StatusInternalServerError, kind: kindServer, code: "internal_error", message: "the server failed: " + err.Error()}
}

// wireFault is an error in OpenAI's dialect, with the counts that llama.cpp adds.
type wireFault struct {
	Message      string  `json:"message"`
	Type         string  `json:"type"`
	Param        *string `json:"param"`
	Code         *string `json:"code"`
	PromptTokens int     `json:"n_prompt_tokens,omitempty"`
	Context      int     `json:"n_ctx,omitempty"`
}

func (f *fault) wire() wireFault {
	w := wireFault{Message: f.message, Type: f.kind, PromptTokens: f.prompt, Context: f.context}
	if f.param != "" {
		w.Param = &f.param
	}
	if f.code != "" {
		w.Code = &f.code
	}
	return w
}

// dialect is how a route writes its errors.
type dialect uint8

const (
	dialectOpenAI dialect = iota
	dialectAnthropic
	dialectOllama
)

// body is the fault as an object of a dialect.
func (f *fault) body(d dialect) any {
	switch d {
	case dialectAnthropic:
		return map[string]any{"type": "error", "error": map[string]any{"type": f.anthropicKind(), "message": f.message}}
	case dialectOllama:
		return map[string]any{"error": f.message}
	}
	return map[string]any{"error": f.wire()}
}

// anthropicKind is the type of the error in Anthropic's dialect.
func (f *fault) anthropicKind() string {
	switch {
	case f.status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case f.status == http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case f.status == http.StatusServiceUnavailable:
		return "overloaded_error"
	case f.status >= 500:
		return "api_error"
	case f.status == http.StatusUnauthorized, f.status == http.StatusForbidden, f.status == http.StatusNotFound:
		return f.kind
	}
	return kindInvalid
}

// write answers with the fault.
func (f *fault) write(w http.ResponseWriter, d dialect) {
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.retryAfter.Seconds()))))
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, f.status, f.body(d))
}

// writeJSON answers with one JSON value. A client that does not read it any more is no fault of ours.
func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := encode(v)
	if err != nil {
		text, status = []byte(`{"error":{"message":"the reply cannot be written","type":"server_error","param":null,"code":null}}`), http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // see above
}

// encode is JSON for a client. Its escapes of <, > and & are kept: they cost nothing, and text of a model is then no HTML, whoever shows it.
func encode(v any) ([]byte, error) { return json.Marshal(v) }
