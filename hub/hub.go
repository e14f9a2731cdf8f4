// Package hub is: Finds and fetches models and data: caches, resumable verified download.
//
// Fetch downloads one file. The package does not unpack or convert what it fetched, and asks no server but the one that a
// Source names and those that it redirects to.
//
// Invariants: the destination appears whole, in one step, after its size and its hash were checked, or not at all. What was
// downloaded is kept beside it (".part") and goes on where it was, if the server can show that the file is still the same.
// Credentials go to the host that they are meant for, over TLS, and never to one that it redirects to.
package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Source is a file on the web.
type Source struct {
	URL    string // http or https, without a user or password
	SHA256 string // of the whole file, in hexadecimal; "" is not checked
	Size   int64  // bytes; 0 is not known
}

// Options say how to fetch. The zero value is the default.
type Options struct {
	Client   *http.Client                  // for its Transport; nil is http.DefaultClient's
	Token    string                        // sent as a bearer token to the source's own host; "" sends none
	MaxSize  int64                         // bytes beyond which a file is refused; 0 is 64 GiB
	Attempts int                           // tries in a row without a new byte before giving up; 0 is 5
	Pause    time.Duration                 // before the second try, doubled each time up to a minute; 0 is 1 s
	Stall    time.Duration                 // without a byte, after which a try is given up; 0 is 60 s
	Progress func(done, total int64)       // is called as bytes arrive; total is 0 where it is not known; may be nil
	Note     func(format string, a ...any) // is told what went wrong before each further try; may be nil
}

// Result is what Fetch did.
type Result struct {
	Size    int64
	SHA256  string // of the file at the destination
	Cached  bool   // it was there already
	Resumed int64  // bytes that an earlier call had left
}

// ErrRefused is wrapped by errors that trying again does not mend: the server's answer, a redirect, a size or a hash.
var ErrRefused = errors.New("refused")

func refused(format string, arguments ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, arguments...))
}

const (
	defaultMaxSize  = 64 << 30
	defaultAttempts = 5
	defaultPause    = time.Second
	defaultStall    = 60 * time.Second
	longestPause    = time.Minute
	maxRedirects    = 10
)

func (o Options) withDefaults() (Options, error) {
	if o.MaxSize < 0 || o.Attempts < 0 || o.Pause < 0 || o.Stall < 0 {
		return o, fmt.Errorf("hub: max size %d, attempts %d, pause %v, stall %v: want none below 0", o.MaxSize, o.Attempts, o.Pause, o.Stall)
	}
	if o.MaxSize == 0 {
		o.MaxSize = defaultMaxSize
	}
	if o.Attempts == 0 {
		o.Attempts = defaultAttempts
	}
	if o.Pause == 0 {
		o.Pause = defaultPause
	}
	if o.Stall == 0 {
		o.Stall = defaultStall
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	return o, nil
}

var hexadecimal = regexp.MustCompile(`^[0-9a-f]{64}$`)

// check returns the source with its hash in lower case, and its parsed address.
func (s Source) check() (Source, *url.URL, error) {
	s.SHA256 = strings.ToLower(s.SHA256)
	if s.SHA256 != "" && !hexadecimal.MatchString(s.SHA256) {
		return s, nil, fmt.Errorf("hub: sha256 %q: want 64 hexadecimal digits", s.SHA256)
	}
	if s.Size < 0 {
		return s, nil, fmt.Errorf("hub: size %d: want 0 or more", s.Size)
	}
	address, err := url.Parse(s.URL)
	if err != nil {
		return s, nil, fmt.Errorf("hub: %w", err)
	}
	return s, address, checkAddress(address)
}

func checkAddress(address *url.URL) error {
	switch {
	case address.Scheme != "http" && address.Scheme != "https":
		return refused("%s: want http or https", shown(address))
	case address.Host == "":
		return refused("%s: want a host", shown(address))
	case address.User != nil:
		return refused("%s: holds a user; credentials are given apart", shown(address))
	}
	return nil
}

// shown is an address without its user and its query, which may hold credentials.
func shown(address *url.URL) string {
	return (&url.URL{Scheme: address.Scheme, Host: address.Host, Path: address.Path}).String()
}
