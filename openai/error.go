package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Error is what a server says about a request that it did not serve. On the wire it stands in an ErrorResponse.
type Error struct {
	// Status is that of HTTP; 0 for an error that came within a stream or under status 200.
	Status  int
	Message string
	Type    string // such as invalid_request_error
	Param   string // the field at fault; "" is null
	Code    string // a name or a number as text; "" is null
	// RetryAfter is how long the server wants to be left alone; 0 if it does not say.
	RetryAfter time.Duration
	// retry is the server's own word on whether to try again, where it has one.
	retry *bool
}

// ErrorResponse is the body of an error.
type ErrorResponse struct {
	Error *Error `json:"error"`
}

// Error says what came, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("openai: the server answers")
	if e.Status != 0 {
		fmt.Fprintf(&b, " %d", e.Status)
	}
	for _, part := range []string{e.Code, e.Type, e.Param} {
		if part != "" {
			fmt.Fprintf(&b, " %s", clip(part, 60))
		}
	}
	return b.String() + ": " + clip(e.Message, 400)
}

// Temporary says whether the same request may be served later: the fault is the server's, or one of too many requests.
func (e *Error) Temporary() bool {
	switch {
	case e.Code == "insufficient_quota":
		return false
	case e.retry != nil:
		return *e.retry
	case e.Status != 0:
		return e.Status == 408 || e.Status == 409 || e.Status == 429 || e.Status >= 500
	}
	switch e.Code { // within a stream there is no status
	case "408", "409", "429", "500", "502", "503", "504":
		return true
	}
	return strings.Contains(e.Type, "server_error") || strings.Contains(e.Type, "overloaded") || strings.Contains(e.Type, "rate_limit") ||
		strings.EqualFold(e.Type, "InternalServerError") || e.Type == "" && e.Code == ""
}

type wireError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// MarshalJSON writes the four fields of the specification.
func (e Error) MarshalJSON() ([]byte, error) {
	w := wireError{Message: e.Message, Type: e.Type}
	if e.Param != "" {
		w.Param = &e.Param
	}
	if e.Code != "" {
		w.Code = &e.Code
	}
	return marshal(w)
}

// UnmarshalJSON reads the specification's object, and a text alone.
func (e *Error) UnmarshalJSON(text []byte) error {
	*e = Error{}
	if json.Unmarshal(text, &e.Message) == nil {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	e.Message, e.Type = plain(fields["message"]), plain(fields["type"])
	e.Param, e.Code = plain(fields["param"]), plain(fields["code"])
	return nil
}

// plain is a JSON text, or another value as it stands; "" for null and for nothing.
func plain(value json.RawMessage) string {
	var s *string
	if len(value) == 0 || json.Unmarshal(value, &s) == nil {
		if s == nil {
			return ""
		}
		return *s
	}
	return string(value)
}

// parseError reads the body of an error in the forms that servers give it: {"error": {...}}, {"error": "text"},
// {"object": "error", "message": ...}, {"detail": ...}, or no JSON at all.
func parseError(status int, body []byte) *Error {
	e := errorIn(body)
	if e == nil {
		e = &Error{Message: string(bytes.TrimSpace(body))}
		var fields struct {
			Detail  json.RawMessage `json:"detail"`
			Message string          `json:"message"`
		}
		if json.Unmarshal(body, &fields) == nil && (fields.Detail != nil || fields.Message != "") {
			e.Message = fields.Message + plain(fields.Detail)
		}
	}
	if e.Message == "" {
		e.Message = "no message"
	}
	e.Status = status
	return e
}

// errorIn returns the error that a JSON object holds, or nil.
func errorIn(body []byte) *Error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return nil
	}
	inner, ok := fields["error"]
	if ok && string(inner) != "null" && string(inner) != "false" {
		e := &Error{}
		if json.Unmarshal(inner, e) != nil {
			e.Message = string(inner)
		}
		return e
	}
	if plain(fields["object"]) == "error" {
		e := &Error{}
		_ = json.Unmarshal(body, e) // an object, as was just seen
		return e
	}
	return nil
}

// clip makes one short line of a text from outside.
func clip(text string, most int) string {
	cut := len(text) > most
	if cut {
		for most > 0 && !utf8.RuneStart(text[most]) {
			most--
		}
		text = text[:most]
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	if cut {
		text += "…"
	}
	return text
}
