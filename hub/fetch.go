package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Fetch downloads a source to the file destination, whose folder it makes. A destination that is there already is kept, if it
// has the source's hash and size as far as they are known. Two calls at once for one destination are the caller's fault.
//
// What arrived stays in destination.part, with the server's tag of that version in destination.part.json, and a later call
// goes on from there. Without a tag and without a hash it begins anew, since nothing would show a mixture of two versions.
func Fetch(ctx context.Context, s Source, destination string, o Options) (Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	s, address, err := s.check()
	if err != nil {
		return Result{}, err
	}
	if result, ok, err := present(s, destination); ok || err != nil {
		return result, err
	}
	if err := os.MkdirAll(filepath.Dir(destination), 0o755); err != nil {
		return Result{}, err
	}
	d := &download{source: s, address: address, options: o, path: destination + ".part"}
	result, err := d.run(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", shown(address), err)
	}
	if err := os.Rename(d.path, destination); err != nil {
		return Result{}, err
	}
	_ = os.Remove(d.path + ".json") // it says nothing about another file
	return result, syncFolder(filepath.Dir(destination))
}

// present says whether the destination is the source already. Another file in its place is an error: it is not ours to remove.
func present(s Source, path string) (Result, bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, err
	}
	sum, err := hashFile(path)
	switch {
	case err != nil:
		return Result{}, false, err
	case s.SHA256 != "" && sum != s.SHA256:
		return Result{}, false, fmt.Errorf("%s: is another file: sha256 %s, want %s; remove it first", path, sum, s.SHA256)
	case s.Size != 0 && info.Size() != s.Size:
		return Result{}, false, fmt.Errorf("%s: is another file: %d bytes, want %d; remove it first", path, info.Size(), s.Size)
	}
	return Result{Size: info.Size(), SHA256: sum, Cached: true}, true, nil
}

// version is what a server calls the version of a file that the first bytes are of.
type version struct {
	URL      string `json:"url"`
	Tag      string `json:"tag,omitempty"`      // a strong ETag
	Modified string `json:"modified,omitempty"` // else the time of the last change
	Total    int64  `json:"total,omitempty"`
}

func (v version) validator() string {
	if v.Tag != "" {
		return v.Tag
	}
	return v.Modified
}

// download is one file under way.
type download struct {
	source  Source
	address *url.URL
	options Options
	path    string

	file    *os.File
	done    int64 // bytes in the file
	resumed int64 // of them, those of an earlier call
	version version
}

// run downloads in as many tries as it takes, and checks what came.
func (d *download) run(ctx context.Context) (Result, error) {
	if err := d.open(); err != nil {
		return Result{}, err
	}
	defer func() { _ = d.file.Close() }() // closed below where that matters
	pause := d.options.Pause
	for failures := 0; ; {
		before := d.done
		wait, err := d.attempt(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		if errors.Is(err, ErrRefused) {
			return Result{}, err
		}
		if failures++; d.done > before {
			failures, pause = 1, d.options.Pause
		}
		if failures >= d.options.Attempts {
			return Result{}, fmt.Errorf("given up after %d tries: %w", failures, err)
		}
		if d.options.Note != nil {
			d.options.Note("%s: %v; trying again at byte %d", shown(d.address), err, d.done)
		}
		if err := sleep(ctx, max(pause, wait)); err != nil {
			return Result{}, err
		}
		pause = min(2*pause, longestPause)
	}
	return d.finish()
}

// open opens the part that an earlier call left, or a new one.
func (d *download) open() error {
	file, err := os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	d.file = file
	info, err := file.Stat()
	if err != nil {
		return err
	}
	d.done = info.Size()
	text, err := os.ReadFile(d.path + ".json")
	known := err == nil && json.Unmarshal(text, &d.version) == nil && d.version.URL == d.source.URL
	if !known {
		d.version = version{}
	}
	if d.done > 0 && (!known || !d.resumable()) {
		return d.restart()
	}
	d.resumed = d.done
	_, err = file.Seek(d.done, io.SeekStart)
	return err
}

func (d *download) resumable() bool { return d.version.validator() != "" || d.source.SHA256 != "" }

// restart forgets what was downloaded.
func (d *download) restart() error {
	d.done, d.resumed, d.version = 0, 0, version{}
	if err := d.file.Truncate(0); err != nil {
		return refused("%w", err)
	}
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return refused("%w", err)
	}
	return nil
}

// attempt asks for what is missing and appends it. It returns nil when the file is whole, and otherwise how long the server
// asked to wait.
func (d *download) attempt(parent context.Context) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	stall := time.AfterFunc(d.options.Stall, func() { cancel(fmt.Errorf("no byte for %v", d.options.Stall)) })
	defer stall.Stop()
	if d.done > 0 && !d.resumable() {
		if err := d.restart(); err != nil {
			return 0, err
		}
	}
	request, err := d.request(ctx)
	if err != nil {
		return 0, refused("%w", err)
	}
	response, err := d.client().Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		var wrong *url.Error
		if errors.As(err, &wrong) {
			err = wrong.Err // its text holds the whole address
		}
		return 0, err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	whole, wait, err := d.accept(response)
	if whole || err != nil {
		return wait, err
	}
	err = d.append(response.Body, stall)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return 0, err
}

func (d *download) request(ctx context.Context) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.source.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "retort")
	request.Header.Set("Accept-Encoding", "identity") // the bytes of the file, whose hash and length are known
	if d.options.Token != "" {
		if d.address.Scheme != "https" && !loopback(d.address.Hostname()) {
			return nil, fmt.Errorf("a token is sent over https only")
		}
		request.Header.Set("Authorization", "Bearer "+d.options.Token)
	}
	if d.done > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.done))
		if v := d.version.validator(); v != "" {
			request.Header.Set("If-Range", v)
		}
	}
	return request, nil
}

// client is a client that keeps no cookies and carries no credentials to where it is redirected.
func (d *download) client() *http.Client {
	return &http.Client{Transport: d.options.Client.Transport, CheckRedirect: func(next *http.Request, before []*http.Request) error {
		if len(before) > maxRedirects {
			return refused("redirected over %d times", maxRedirects)
		}
		if err := checkAddress(next.URL); err != nil {
			return err
		}
		last := before[len(before)-1].URL
		if last.Scheme == "https" && next.URL.Scheme != "https" {
			return refused("redirected from https to %s", shown(next.URL))
		}
		if next.URL.Host != d.address.Host || next.URL.Scheme != d.address.Scheme {
			next.Header.Del("Authorization")
		}
		next.Header.Del("Referer")
		return nil
	}}
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter is how long a server asks to wait, at most a minute.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0 // a date is not worth the trouble
	}
	return min(time.Duration(min(seconds, 3600))*time.Second, longestPause)
}

// hashFile returns the SHA-256 of a file, in hexadecimal.
func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
