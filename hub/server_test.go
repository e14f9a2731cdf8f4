package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hubServer is a hub with one host for its own answers and one that holds the
// large files. Faults are functions that answer a request for a file's bytes in
// place of the server: each is used once, in turn.
type hubServer struct {
	t          *testing.T
	hub, store *httptest.Server
	repos      map[string]map[string][]byte // path and content
	commit     string

	mutex    sync.Mutex
	faults   []func(http.ResponseWriter, *http.Request, []byte)
	requests []string // "hub GET /path [range]" and the like
	tokens   []string // Authorization as the store saw it
	token    string   // wanted by the hub; "" is none
	perPage  int
}

const testCommit = "0123456789abcdef0123456789abcdef01234567"

// largeFile is from which size on a file lies in the store.
const largeFile = 1000

func newHubServer(t *testing.T, repos map[string]map[string][]byte) *hubServer {
	s := &hubServer{t: t, repos: repos, commit: testCommit, perPage: 1000}
	s.hub = httptest.NewServer(http.HandlerFunc(s.serveHub))
	s.store = httptest.NewServer(http.HandlerFunc(s.serveStore))
	t.Cleanup(s.hub.Close)
	t.Cleanup(s.store.Close)
	return s
}

func (s *hubServer) options(cache string) Options {
	return Options{Endpoint: s.hub.URL, CacheDir: cache, Stall: 5 * time.Second, Pause: time.Millisecond, Retries: 3, Transport: &http.Transport{DisableKeepAlives: true}}
}

func (s *hubServer) fault(f ...func(http.ResponseWriter, *http.Request, []byte)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.faults = append(s.faults, f...)
}

func (s *hubServer) log(host string, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	line := host + " " + r.Method + " " + r.URL.Path
	if rng := r.Header.Get("Range"); rng != "" {
		line += " " + rng
	}
	s.requests = append(s.requests, line)
}

// count is how many requests began with a text.
func (s *hubServer) count(prefix string) (n int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, r := range s.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

func sha256Of(data []byte) string { h := sha256.Sum256(data); return hex.EncodeToString(h[:]) }

func gitOf(data []byte) string {
	h := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(h[:])
}

func (s *hubServer) serveHub(w http.ResponseWriter, r *http.Request) {
	s.log("hub", r)
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	for repo, files := range s.repos {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/api/models/"+repo+"/revision/"):
			json.NewEncoder(w).Encode(map[string]any{"id": repo, "sha": s.commit})
			return
		case strings.HasPrefix(path, "/api/models/"+repo+"/tree/"+s.commit):
			s.serveTree(w, r, files)
			return
		case strings.HasPrefix(path, "/"+repo+"/resolve/"+s.commit+"/"):
			name := strings.TrimPrefix(path, "/"+repo+"/resolve/"+s.commit+"/")
			data, ok := files[name]
			if !ok {
				break
			}
			w.Header().Set("X-Repo-Commit", s.commit)
			if len(data) < largeFile {
				s.serveData(w, r, data, gitOf(data))
				return
			}
			w.Header().Set("X-Linked-Etag", strconv.Quote(sha256Of(data)))
			w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
			http.Redirect(w, r, s.store.URL+"/"+repo+"/"+name+"?signature=secret", http.StatusFound)
			return
		}
	}
	http.NotFound(w, r)
}

// serveTree lists files in pages.
func (s *hubServer) serveTree(w http.ResponseWriter, r *http.Request, files map[string][]byte) {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	to := min(from+s.perPage, len(names))
	list := []map[string]any{{"type": "directory", "path": "folder", "oid": "x", "size": 0}}
	for _, name := range names[from:to] {
		data := files[name]
		e := map[string]any{"type": "file", "path": name, "size": len(data), "oid": gitOf(data)}
		if len(data) >= largeFile {
			e["oid"] = gitOf([]byte("pointer"))
			e["lfs"] = map[string]any{"oid": sha256Of(data), "size": len(data), "pointerSize": 130}
		}
		list = append(list, e)
	}
	if to < len(names) {
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?recursive=true&cursor=%d>; rel="next"`, s.hub.URL, r.URL.Path, to))
	}
	json.NewEncoder(w).Encode(list)
}

func (s *hubServer) serveStore(w http.ResponseWriter, r *http.Request) {
	s.log("store", r)
	s.mutex.Lock()
	s.tokens = append(s.tokens, r.Header.Get("Authorization"))
	s.mutex.Unlock()
	for repo, files := range s.repos {
		if data, ok := files[strings.TrimPrefix(r.URL.Path, "/"+repo+"/")]; ok {
			s.serveData(w, r, data, sha256Of(data))
			return
		}
	}
	http.NotFound(w, r)
}

func (s *hubServer) serveData(w http.ResponseWriter, r *http.Request, data []byte, tag string) {
	s.mutex.Lock()
	var fault func(http.ResponseWriter, *http.Request, []byte)
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	s.mutex.Unlock()
	if fault != nil {
		fault(w, r, data)
		return
	}
	serveRange(w, r, data, tag)
}

// serveRange answers "Range: bytes=N-" and If-Range.
func serveRange(w http.ResponseWriter, r *http.Request, data []byte, tag string) {
	w.Header().Set("ETag", strconv.Quote(tag))
	from := 0
	if n, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 && err == nil {
		if condition := r.Header.Get("If-Range"); condition == "" || condition == strconv.Quote(tag) {
			if from >= len(data) {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(data[from:])
			return
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Write(data)
}

// dropAfter sends the beginning of what is asked for and breaks the connection.
func dropAfter(n int) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, data []byte) {
		from := 0
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		w.Header().Set("ETag", strconv.Quote(sha256Of(data)))
		w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
		if from > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(data[from:min(from+n, len(data))])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// stallAfter sends the beginning and then nothing until the client leaves.
func stallAfter(n int) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Write(data[:n])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// flipBit sends everything with one bit changed.
func flipBit(at int) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, data []byte) {
		changed := slices.Clone(data)
		changed[at] ^= 4
		serveRange(w, r, changed, sha256Of(data))
	}
}

// announce says that the file is of another length than what comes.
func announce(n int) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, data []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.Write(data[:min(n, len(data))])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// status answers with a status and nothing else.
func status(code int) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(code) }
}
