package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// Options say what the page shows. The zero value of a field is its default.
type Options struct {
	// Runs is the folder below which runs lie, up to four folders deep; "" shows none.
	Runs string
	// Conversations is the folder in which conversations are kept; it is made when the first one is. "" keeps none.
	Conversations string
	// Resamples is the number of bootstrap resamples behind the intervals of an evaluation; 0 means 1000.
	Resamples int
	// Poll is the time between two looks at a run that is followed; 0 means 500 ms.
	Poll time.Duration
}

// Page answers requests for the page and its data. It may be used by many goroutines.
type Page struct {
	options     Options
	assets      map[string]*asset
	series      *cache[*series]
	evaluations *cache[*evaluation]
	stands      *cache[*stand]
	heads       *cache[*conversationHead]
	headsLock   sync.Mutex
	writing     sync.Mutex // of conversations
	openPart    func(root *os.Root, name string) (partFile, error)
	mux         *http.ServeMux

	vocabularies *cache[*vocabulary]
}

// Patterns are those of http.ServeMux under which the server mounts a Page, each behind its checks. Those of Open hold nothing but the page's
// own files and may be read without a key.
var (
	Patterns     = []string{"GET /page/api/", "POST /page/api/", "DELETE /page/api/"}
	OpenPatterns = []string{"GET /{$}", "GET /page/"}
)

// route is a route of the page's data. What handle returns is sent as JSON, unless it is nil: then handle has answered.
type route struct {
	pattern string
	handle  func(p *Page, w http.ResponseWriter, r *http.Request) (any, error)
}

// routes are all routes but those of the page's files.
var routes = []route{
	{"GET /page/api/about", (*Page).about},
	{"POST /page/api/math", (*Page).convertMath},
	{"POST /page/api/judge", (*Page).judge},
	{"GET /page/api/runs", (*Page).listRuns},
	{"GET /page/api/run", (*Page).oneRun},
	{"GET /page/api/metrics", (*Page).metrics},
	{"GET /page/api/metrics.csv", (*Page).exportCSV},
	{"GET /page/api/metrics.json", (*Page).exportJSON},
	{"GET /page/api/samples.jsonl", (*Page).exportSamples},
	{"GET /page/api/follow", (*Page).follow},
	{"GET /page/api/samples", (*Page).samples},
	{"GET /page/api/find", (*Page).findSamples},
	{"GET /page/api/words", (*Page).words},
	{"GET /page/api/evaluation", (*Page).evaluation},
	{"GET /page/api/evaluation/samples", (*Page).evaluationSamples},
	{"GET /page/api/conversations", (*Page).listConversations},
	{"GET /page/api/conversations/{id}", (*Page).readConversation},
	{"POST /page/api/conversations/{id}", (*Page).writeConversation},
	{"DELETE /page/api/conversations/{id}", (*Page).removeConversation},
}

// New makes a page. Faults of all options are in one error.
func New(o Options) (*Page, error) {
	var faults []error
	for name, n := range map[string]int64{"Resamples": int64(o.Resamples), "Poll": int64(o.Poll)} {
		if n < 0 {
			faults = append(faults, fmt.Errorf("page: options: %s: got %d, want 0 (the default) or more", name, n))
		}
	}
	for name, dir := range map[string]string{"Runs": o.Runs, "Conversations": o.Conversations} {
		if info, err := os.Stat(dir); dir != "" && err == nil && !info.IsDir() {
			faults = append(faults, fmt.Errorf("page: options: %s: %s is a file, want a folder", name, dir))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if o.Resamples == 0 {
		o.Resamples = 1000
	}
	if o.Poll == 0 {
		o.Poll = 500 * time.Millisecond
	}
	p := &Page{options: o, mux: http.NewServeMux(), series: newCache[*series](24), evaluations: newCache[*evaluation](8), stands: newCache[*stand](64), heads: newCache[*conversationHead](2 * maxListed)}
	p.vocabularies, p.openPart = newCache[*vocabulary](4), openPart
	var err error
	if p.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	p.mux.HandleFunc("/", p.serveAsset)
	for _, route := range routes {
		p.mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			value, err := route.handle(p, w, r)
			switch {
			case err != nil:
				writeFault(w, err)
			case value != nil:
				writeJSON(w, http.StatusOK, value)
			}
		})
	}
	p.mux.HandleFunc("/page/api/", func(w http.ResponseWriter, _ *http.Request) {
		writeFault(w, notFound("there is no such route"))
	})
	return p, nil
}

// policy is what a browser lets the page do. With trusted-types 'none' no script can make HTML of a string.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// headers are on every answer.
var headers = map[string]string{
	"Content-Security-Policy":      policy,
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

// ServeHTTP answers a request.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	p.mux.ServeHTTP(w, r)
}

// fault is why a request is not served.
type fault struct {
	status  int
	message string
}

func (f *fault) Error() string { return f.message }

func notFound(format string, args ...any) error {
	return &fault{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return &fault{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// writeFault answers with an error in the form of the server's API.
func writeFault(w http.ResponseWriter, err error) {
	f := &fault{http.StatusInternalServerError, err.Error()}
	errors.As(err, &f)
	writeJSON(w, f.status, map[string]any{"error": map[string]any{"message": f.message, "code": f.status}})
}

// writeJSON answers with a value. It escapes what would be HTML, so that a browser that takes it for a page finds no element.
func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":{"message":"the answer cannot be written as JSON"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client may have gone
}
