package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// rule says what becomes of a field: nil lets its value through, and a function may refuse it with a reason.
type rule func(raw json.RawMessage) (reason string)

// fields are the fields that a route knows, by their paths: a.b stands in the object a, a[].b in each object of the list a. All others are foreign, but
// for those in objects of which none is known: they are somebody else's.
type fields map[string]rule

// reader is the reading of one request.
type reader struct {
	known   fields
	foreign map[string]bool
}

// has reports whether fields within a path are known.
func (r *reader) has(path string) bool {
	for name := range r.known {
		if strings.HasPrefix(name, path) {
			return true
		}
	}
	return false
}

// object checks the members of an object at a path, which ends with a dot or is "".
func (r *reader) object(path string, members map[string]json.RawMessage) *fault {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		raw, full := members[name], path+name
		check, mine := r.known[full]
		switch {
		case !mine:
			r.foreign[full] = true
			delete(members, name)
			continue
		case string(raw) == "null":
			delete(members, name)
			continue
		}
		if check != nil {
			if reason := check(raw); reason != "" {
				return unsupported(full, "%s", reason)
			}
		}
		if f := r.inside(full, raw); f != nil {
			return f
		}
	}
	return nil
}

// inside checks what stands within a value, where some of it is known.
func (r *reader) inside(path string, raw json.RawMessage) *fault {
	switch {
	case raw[0] == '{' && r.has(path+"."):
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return bad(path, "cannot be read")
		}
		return r.object(path+".", members)
	case raw[0] == '[' && r.has(path+"[]"):
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return bad(path, "cannot be read")
		}
		for _, item := range items {
			if f := r.inside(path+"[]", item); f != nil {
				return f
			}
		}
	}
	return nil
}

// never refuses a field that is given at all.
func never(reason string) rule { return func(json.RawMessage) string { return reason } }

// only refuses a field that has another value than these, written as JSON.
func only(reason string, values ...string) rule {
	return func(raw json.RawMessage) string {
		if slices.Contains(values, compact(raw)) {
			return ""
		}
		return reason
	}
}

// compact is a JSON value without white space between its parts.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return ""
	}
	return b.String()
}

// bodyTime is how long a client may take to send a request.
const bodyTime = time.Minute

// errBodies is the end of a body for which there is no room.
var errBodies = errors.New("the requests that are held have no room for another")

// bodyReader counts what is read of a body until its request is over.
type bodyReader struct {
	io.Reader
	s *Server
	w *recorder
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.w.held += int64(n)
	if b.s.bodies.Add(int64(n)) > maxBodies {
		return n, errBodies
	}
	return n, err
}

// readBody reads the whole body, at most maxBody bytes.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime)) // a writer without deadlines has no slow clients
	from := io.Reader(http.MaxBytesReader(w, r.Body, maxBody))
	if counted, ok := w.(*recorder); ok {
		from = &bodyReader{from, s, counted}
	}
	body, err := io.ReadAll(from)
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errBodies):
		s.metrics.refused.Add(1)
		return nil, &fault{status: http.StatusServiceUnavailable, kind: kindBusy, code: "queue_full", message: "the requests that wait are too large together", retryAfter: 5 * time.Second}
	case errors.As(err, &large):
		return nil, &fault{status: http.StatusRequestEntityTooLarge, kind: kindInvalid, code: "request_too_large", message: fmt.Sprintf("the request has more than %d bytes", maxBody)}
	case err != nil:
		return nil, bad("", "the request did not come whole")
	}
	return body, nil
}

// decode reads a request into a struct, field by field: what the route knows is checked, and what it does not know is returned by its path, sorted.
func decode(body []byte, known fields, into any) (foreign []string, err error) {
	if depth, parts := shapeOf(body); depth > maxDepth || parts > maxParts {
		return nil, bad("", "the JSON is nested %d deep and has %d parts, want at most %d and %d", depth, parts, maxDepth, maxParts)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, bad("", "the request is no JSON object: %s", jsonReason(err))
	}
	r := &reader{known, map[string]bool{}}
	if f := r.object("", all); f != nil {
		return nil, f
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if f := checkNumbers(name, all[name]); f != nil {
			return nil, f
		}
	}
	// Encoding again leaves the known fields only, by their exact names: the decoder does not tell upper case from lower.
	clean, err := json.Marshal(all)
	if err != nil {
		return nil, bad("", "the request cannot be read")
	}
	if err := json.Unmarshal(clean, into); err != nil {
		return nil, typeFault(err)
	}
	return slices.Sorted(maps.Keys(r.foreign)), nil
}

// typeFault names the field whose type is wrong.
func typeFault(err error) *fault {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return bad(wrong.Field, "got a JSON %s, want %s", wrong.Value, kindName(wrong.Type.Kind().String()))
	}
	return bad("", "%s", strings.TrimPrefix(err.Error(), "json: "))
}

// kindName is a kind of Go's as JSON calls it.
func kindName(kind string) string {
	switch {
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "bool":
		return "true or false"
	case kind == "string":
		return "a text"
	case kind == "slice":
		return "a list"
	}
	return "an object"
}

func jsonReason(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return "got a JSON " + wrong.Value
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// shapeOf is how deep JSON is nested, up to one more than maxDepth, and of how many members and items it is made: each takes more memory than its text.
func shapeOf(text []byte) (deepest, parts int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			if deepest = max(deepest, depth); depth > maxDepth {
				return deepest, parts
			}
		case c == '}' || c == ']':
			depth--
		case c == ',':
			parts++
		}
	}
	return deepest, parts
}

// headerList is a list of names from outside that a header can hold.
func headerList(names []string) string {
	const most = 20
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, ", and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		for j, r := range name {
			if j >= 60 {
				b.WriteString("...")
				break
			}
			if r <= ' ' || r >= 0x7f || r == ',' {
				r = '?'
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}
