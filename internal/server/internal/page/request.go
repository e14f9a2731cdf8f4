package page

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
)

// readBody reads a JSON body of at most so many bytes.
func readBody(w http.ResponseWriter, r *http.Request, most int64, into any) error {
	text, err := rawBody(w, r, most)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return badRequest("the request is not the JSON that is expected: %.120v", err)
	}
	return nil
}

func rawBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &fault{http.StatusUnsupportedMediaType, "want Content-Type: application/json"}
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &fault{http.StatusRequestEntityTooLarge, "the request has more than " + strconv.FormatInt(most, 10) + " bytes"}
	case err != nil:
		return nil, badRequest("the request did not come whole")
	}
	return text, nil
}

// whole reads a whole number of a query, fallback if it is absent.
func whole(q url.Values, name string, fallback, least, most int64) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, badRequest("%s: got %.40q, want a whole number from %d to %d", name, text, least, most)
	}
	return n, nil
}

// examples are questions of the lab's form, which the embedded model answers.
var examples = []string{"Use 3, 7, 11 to make 32.", "Use 4, 6, 9 to make 30.", "Use 2, 8, 13 to make 29."}

// about tells the page what this server keeps.
func (p *Page) about(http.ResponseWriter, *http.Request) (any, error) {
	return map[string]any{"runs": p.options.Runs != "", "conversations": p.options.Conversations != "", "examples": examples}, nil
}
