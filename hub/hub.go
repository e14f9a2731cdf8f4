// Package hub finds and fetches models and data: caches, resumable verified download.
//
// It does not open what it fetches, and connects to nothing unless a function
// says so: [Resolve] and [List] read the disk alone; [NewPlan], [Plan.Pull] and
// [Fetch] use the network.
//
// Invariants: a file appears under its name only whole and, where its hash is
// known, with that hash; a download that was broken off goes on where it was;
// of two downloads of the same file, in whatever processes, one waits for the
// other's; a token is sent to the endpoint's own scheme, host and port and to
// nobody else; what a server says is bounded before it is read; a name that a
// server or a manifest gives never leads out of its folder.
package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// DefaultEndpoint is the Hugging Face Hub.
const DefaultEndpoint = "https://huggingface.co"

// Options says where models lie and how they are fetched. The zero value has no
// folders: see [FromEnvironment].
type Options struct {
	// CacheDir is the cache of Hugging Face's tools, which holds models--ORG--REPO folders; "" is none.
	CacheDir string
	// OllamaDir is Ollama's store, which holds manifests and blobs; "" is none. It is only read.
	OllamaDir string
	// Endpoint is the hub's address; "" is DefaultEndpoint.
	Endpoint string
	// Token is sent to the endpoint; "" is none.
	Token string
	// Offline forbids every connection.
	Offline bool

	// Transport makes the connections; nil is a transport that honours the proxy of the environment.
	Transport http.RoundTripper
	// Stall is how long a connection may be silent before it is given up and tried again; 0 is 30 s.
	Stall time.Duration
	// Retries is how often in a row a download may fail without a byte of progress; 0 is 5.
	Retries int
	// Pause is waited before the second try, and twice as long before each further one, at most a minute; 0 is 1 s.
	Pause time.Duration
	// Progress, if set, is called from the goroutine that downloads, at most a few times a second.
	Progress func(Progress)
}

// Progress says how far the download of one file is.
type Progress struct {
	Name        string
	Done, Total int64 // bytes; Total is 0 where it is not known
	Waiting     bool  // for another download of the same file, in this process or another
	Retry       error // the fault after which the download is tried again; else nil
}

// FromEnvironment returns the options that Hugging Face's and Ollama's own tools
// would take from the environment: HF_HUB_CACHE, else hub in HF_HOME, else in
// XDG_CACHE_HOME/huggingface, else in home/.cache/huggingface; HF_ENDPOINT;
// HF_TOKEN; HF_HUB_OFFLINE; OLLAMA_MODELS, else home/.ollama/models. home is the
// user's folder and may be "".
func FromEnvironment(variable func(name string) string, home string) Options {
	below := func(folder string, names ...string) string {
		if folder == "" {
			return ""
		}
		return filepath.Join(append([]string{folder}, names...)...)
	}
	first := func(paths ...string) string {
		for _, p := range paths {
			if p != "" {
				return p
			}
		}
		return ""
	}
	huggingFace := first(variable("HF_HOME"), below(variable("XDG_CACHE_HOME"), "huggingface"), below(home, ".cache", "huggingface"))
	return Options{
		CacheDir:  first(variable("HF_HUB_CACHE"), variable("HUGGINGFACE_HUB_CACHE"), below(huggingFace, "hub")),
		OllamaDir: first(variable("OLLAMA_MODELS"), below(home, ".ollama", "models")),
		Endpoint:  variable("HF_ENDPOINT"),
		Token:     strings.TrimSpace(variable("HF_TOKEN")),
		Offline:   isTrue(variable("HF_HUB_OFFLINE")),
	}
}

// isTrue reads a switch as Hugging Face's tools do.
func isTrue(text string) bool {
	switch strings.ToUpper(text) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// endpoint returns the hub's address without a slash at its end.
func (o *Options) endpoint() (*url.URL, error) {
	text := o.Endpoint
	if text == "" {
		text = DefaultEndpoint
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("hub: endpoint %.100q: want https://HOST", text)
	}
	return u, nil
}

// ErrOffline is the error of everything that would connect.
var ErrOffline = errors.New("no connection is made while offline is set")

func (o *Options) stall() time.Duration { return orDefault(o.Stall, 30*time.Second) }
func (o *Options) retries() int         { return orDefault(o.Retries, 5) }
func (o *Options) pause() time.Duration { return orDefault(o.Pause, time.Second) }

func orDefault[T int | time.Duration](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

// report tells the progress, if anybody wants to know.
func (o *Options) report(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}
