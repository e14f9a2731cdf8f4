package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// noise is data that no two files share.
func noise(n int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 7))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

const fetchedBytes = 300_000

// fetchServer holds one file, big.bin.
func fetchServer(t *testing.T) (*hubServer, []byte, Source) {
	data := noise(fetchedBytes, 1)
	s := newHubServer(t, map[string]map[string][]byte{"org/repo": {"big.bin": data}})
	return s, data, Source{URL: s.hub.URL + "/org/repo/resolve/" + testCommit + "/big.bin", SHA256: sha256Of(data), Size: fetchedBytes}
}

// folderIs compares the names in a folder.
func folderIs(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestFetchThroughFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults []func(http.ResponseWriter, *http.Request, []byte)
		ranges int    // requests that asked for a part
		err    string // "" is success
	}{
		{"whole", nil, 0, ""},
		{"dropped twice", []func(http.ResponseWriter, *http.Request, []byte){dropAfter(70_000), dropAfter(1)}, 2, ""},
		{"stalled", []func(http.ResponseWriter, *http.Request, []byte){stallAfter(50_000)}, 1, ""},
		{"a bit flipped", []func(http.ResponseWriter, *http.Request, []byte){flipBit(200_000)}, 0, ""},
		{"a bit flipped always", []func(http.ResponseWriter, *http.Request, []byte){flipBit(9), flipBit(9)}, 0, "what arrived is not the file"},
		{"busy", []func(http.ResponseWriter, *http.Request, []byte){status(503), status(429), status(500)}, 0, ""},
		{"busy too long", []func(http.ResponseWriter, *http.Request, []byte){status(503), status(503), status(503), status(503)}, 0, "given up after 4 tries"},
		{"longer than it is", []func(http.ResponseWriter, *http.Request, []byte){announce(fetchedBytes + 5)}, 0, "announces 300005 bytes, want 300000"},
		{"shorter than it is", []func(http.ResponseWriter, *http.Request, []byte){announce(fetchedBytes - 5)}, 0, "announces 299995 bytes, want 300000"},
		{"gone", []func(http.ResponseWriter, *http.Request, []byte){status(404)}, 0, "no such model, revision or file"},
		{"forbidden", []func(http.ResponseWriter, *http.Request, []byte){status(403)}, 0, "HF_TOKEN"},
		{"no ranges", []func(http.ResponseWriter, *http.Request, []byte){dropAfter(70_000), func(w http.ResponseWriter, _ *http.Request, data []byte) { w.Write(data) }}, 1, ""},
		{"a wrong range", []func(http.ResponseWriter, *http.Request, []byte){dropAfter(70_000), func(w http.ResponseWriter, _ *http.Request, data []byte) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 60000-%d/%d", len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(data[60_000:])
		}}, 1, "bytes from 60000 on, want from 70000 on"},
		{"encoded", []func(http.ResponseWriter, *http.Request, []byte){func(w http.ResponseWriter, _ *http.Request, data []byte) {
			w.Header().Set("Content-Encoding", "br")
			w.Write(data)
		}}, 0, "encodes the file as"},
		{"no such range", []func(http.ResponseWriter, *http.Request, []byte){dropAfter(70_000), status(416)}, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, data, source := fetchServer(t)
			s.fault(c.faults...)
			dir := t.TempDir()
			o := s.options(dir)
			if c.name == "stalled" {
				o.Stall = 300 * time.Millisecond
			}
			err := Fetch(t.Context(), source, filepath.Join(dir, "big.bin"), o)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret") {
					t.Fatalf("got %v, want %q and no signature", err, c.err)
				}
				if isFileThere(filepath.Join(dir, "big.bin")) {
					t.Fatal("a file that failed has its name")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, "big.bin"))
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes, %v, want the %d of the file", len(got), err, len(data))
			}
			folderIs(t, dir, "big.bin")
			s.mutex.Lock()
			defer s.mutex.Unlock()
			ranges := 0
			for _, r := range s.requests {
				if strings.HasPrefix(r, "store") && strings.Contains(r, "bytes=") {
					ranges++
				}
			}
			// A machine that stands still stalls a connection, too.
			if ranges != c.ranges && !(c.name == "stalled" && ranges > c.ranges) {
				t.Errorf("%d requests for a part, want %d: %q", ranges, c.ranges, s.requests)
			}
		})
	}
}

func isFileThere(path string) bool { _, err := os.Lstat(path); return err == nil }

// TestFetchGoesOn breaks a download off for good and starts another.
func TestFetchGoesOn(t *testing.T) {
	s, data, source := fetchServer(t)
	dst := filepath.Join(t.TempDir(), "big.bin")
	o := s.options("")
	o.Retries = 1
	s.fault(dropAfter(120_000), status(500), status(500))
	if err := Fetch(t.Context(), source, dst, o); err == nil {
		t.Fatal("no error from a server that fails")
	}
	if err := Fetch(t.Context(), source, dst, o); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if n := s.count("store GET /org/repo/big.bin bytes=120000-"); n < 1 {
		t.Errorf("no request for the rest: %q", s.requests)
	}
	before := len(s.requests)
	if err := Fetch(t.Context(), source, dst, o); err != nil || len(s.requests) != before {
		t.Errorf("the file was there: %v, %d requests", err, len(s.requests)-before)
	}
	// A damaged partial download is noticed and fetched again.
	if err := errors.Join(os.Remove(dst), os.WriteFile(dst+partialSuffix, make([]byte, 1000), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), source, dst, o); err != nil {
		t.Error(err)
	}
}

// TestFetchWithoutHash: nothing is compared, so that nothing may be pieced together of two files.
func TestFetchWithoutHash(t *testing.T) {
	first, second := noise(50_000, 2), noise(60_000, 3)
	now := first
	var ranges []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		if len(ranges) == 1 {
			w.Header().Set("ETag", strconv.Quote(sha256Of(now)))
			w.Header().Set("Content-Length", strconv.Itoa(len(now)))
			w.Write(now[:20_000])
			w.(http.Flusher).Flush()
			now = second
			panic(http.ErrAbortHandler)
		}
		serveRange(w, r, now, sha256Of(now))
	}))
	defer server.Close()
	dst := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(dst+partialSuffix, noise(30_000, 9), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), Source{URL: server.URL}, dst, Options{Pause: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(dst); !bytes.Equal(got, second) {
		t.Error("the file is not the one that the server has now")
	}
	if !slices.Equal(ranges, []string{"", "bytes=20000-"}) {
		t.Errorf("asked for %q", ranges)
	}
}

// TestFetchOnce starts several downloads of a file at once, through locks of their own.
func TestFetchOnce(t *testing.T) {
	s, data, source := fetchServer(t)
	var mutex sync.Mutex
	waited := 0
	s.fault(func(w http.ResponseWriter, r *http.Request, data []byte) {
		for range 10_000 { // until the others wait
			time.Sleep(time.Millisecond)
			mutex.Lock()
			all := waited == 3
			mutex.Unlock()
			if all {
				break
			}
		}
		serveRange(w, r, data, sha256Of(data))
	})
	dst := filepath.Join(t.TempDir(), "big.bin")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			o := s.options("")
			o.Stall = time.Minute
			o.Progress = func(p Progress) {
				if p.Waiting {
					mutex.Lock()
					waited++
					mutex.Unlock()
				}
			}
			if err := Fetch(t.Context(), source, dst, o); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := s.count("store"); n != 1 || waited != 3 {
		t.Errorf("%d downloads, want 1; %d waited, want 3", n, waited)
	}
}

func TestFetchKeepsTheToken(t *testing.T) {
	s, _, source := fetchServer(t)
	s.token = "hf_abc"
	o := s.options("")
	o.Token = "hf_abc"
	if err := Fetch(t.Context(), source, filepath.Join(t.TempDir(), "f"), o); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.tokens, []string{""}) {
		t.Errorf("the store saw %q, want no token", s.tokens)
	}
	o.Token = "other"
	if err := Fetch(t.Context(), source, filepath.Join(t.TempDir(), "f"), o); err == nil || !strings.Contains(err.Error(), "the token gives no access") {
		t.Errorf("got %v", err)
	}
	// A source on another host than the endpoint gets none either.
	source.URL = s.store.URL + "/org/repo/big.bin"
	if err := Fetch(t.Context(), source, filepath.Join(t.TempDir(), "f"), o); err != nil || s.tokens[1] != "" {
		t.Errorf("%v, the store saw %q", err, s.tokens)
	}
}

// TestFetchWaitsAsAsked: a busy server says how long.
func TestFetchWaitsAsAsked(t *testing.T) {
	s, _, source := fetchServer(t)
	s.fault(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	began := time.Now()
	if err := Fetch(t.Context(), source, filepath.Join(t.TempDir(), "f"), s.options("")); err != nil || time.Since(began) < time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestFetchStops(t *testing.T) {
	s, _, source := fetchServer(t)
	s.fault(stallAfter(10))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	o := s.options("")
	o.Stall = 2 * time.Minute
	err := Fetch(ctx, source, filepath.Join(t.TempDir(), "f"), o)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestFetchRefuses(t *testing.T) {
	s, _, source := fetchServer(t)
	loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	}))
	defer loop.Close()
	dir := t.TempDir()
	for _, c := range []struct {
		change func(*Source, *Options)
		want   string
	}{
		{func(_ *Source, o *Options) { o.Offline = true }, "offline"},
		{func(f *Source, _ *Options) { f.SHA256 = "abc" }, "want 64 hexadecimal digits"},
		{func(f *Source, _ *Options) { f.Size = -1 }, "size -1"},
		{func(f *Source, _ *Options) { f.URL = "file:///etc/hosts" }, "want http"},
		{func(f *Source, _ *Options) { f.URL = loop.URL }, "more than 8 redirects"},
		{func(f *Source, _ *Options) { f.SHA256 = strings.Repeat("0", 64) }, "the server has another file"},
		{func(f *Source, _ *Options) { f.Size = 5 }, "the server says that it has 300000 bytes, want 5"},
		{func(_ *Source, o *Options) { o.Endpoint = "ftp://x" }, "want https://HOST"},
	} {
		f, o := source, s.options("")
		c.change(&f, &o)
		err := Fetch(t.Context(), f, filepath.Join(dir, "f"), o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, c.want)
		}
		folderIs(t, dir)
	}
}

func TestCheckRedirect(t *testing.T) {
	for _, c := range []struct {
		start, from, to string
		ok              bool
	}{
		{"https://a.example/x", "https://a.example/x", "https://cdn.example/y", true},
		{"https://a.example/x", "https://a.example/x", "http://a.example/x", false},
		{"https://a.example/x", "https://a.example/x", "https://127.0.0.1/", false},
		{"https://a.example/x", "https://b.example/x", "https://[::ffff:10.0.0.1]/", false},
		{"https://a.example/x", "https://a.example/x", "https://169.254.169.254/latest", false},
		{"https://a.example/x", "https://a.example/x", "https://LOCALHOST./", false},
		{"http://127.0.0.1:1/x", "http://127.0.0.1:1/x", "http://localhost:2/", true},
	} {
		var u [3]*url.URL
		for i, text := range []string{c.start, c.from, c.to} {
			u[i], _ = url.Parse(text)
		}
		if err := checkRedirect(u[0], u[1], u[2]); (err == nil) != c.ok {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
}
