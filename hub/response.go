package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// accept checks an answer's head and prepares the file for its body. whole is true where nothing is missing any more.
func (d *download) accept(response *http.Response) (whole bool, wait time.Duration, err error) {
	switch code := response.StatusCode; {
	case code == http.StatusOK:
		if err := d.restart(); err != nil {
			return false, 0, err
		}
		if err := d.remember(response, response.ContentLength); err != nil {
			return false, 0, err
		}
	case code == http.StatusPartialContent && d.done > 0:
		from, total, ok := readRange(response.Header.Get("Content-Range"))
		if !ok || from != d.done || total > 0 && total < d.done {
			return false, 0, refused("asked for the bytes from %d, and got the range %.80q", d.done, response.Header.Get("Content-Range"))
		}
		if d.version.Total > 0 && total > 0 && total != d.version.Total {
			return false, 0, errors.Join(fmt.Errorf("the file changed from %d bytes to %d", d.version.Total, total), d.restart())
		}
		if err := d.remember(response, total); err != nil {
			return false, 0, err
		}
	case code == http.StatusRequestedRangeNotSatisfiable && d.done > 0:
		// All may be there already; else the file is another one.
		if _, total, ok := readRange(response.Header.Get("Content-Range")); ok && total == d.done {
			return true, 0, nil
		}
		return false, 0, errors.Join(fmt.Errorf("the file is shorter than the %d bytes of the part", d.done), d.restart())
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return false, retryAfter(response.Header), fmt.Errorf("the server answered %s", response.Status)
	default:
		return false, 0, refused("the server answered %s", response.Status)
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return false, 0, refused("the server encoded the file as %.40q, unasked", encoding)
	}
	return false, 0, d.checkTotal(d.version.Total)
}

// checkTotal refuses a wrong or an excessive length before a byte of it is loaded.
func (d *download) checkTotal(total int64) error {
	switch {
	case total > d.options.MaxSize || d.source.Size > d.options.MaxSize:
		return refused("%d bytes, want at most %d", max(total, d.source.Size), d.options.MaxSize)
	case total > 0 && d.source.Size > 0 && total != d.source.Size:
		return refused("the server offers %d bytes, want %d", total, d.source.Size)
	}
	return nil
}

// remember notes which version of the file the bytes are of, before the first of them is written.
func (d *download) remember(response *http.Response, total int64) error {
	v := version{URL: d.source.URL, Total: max(total, 0)}
	if tag := response.Header.Get("ETag"); strings.HasPrefix(tag, `"`) {
		v.Tag = tag // a weak tag does not promise the same bytes
	} else if tag == "" {
		v.Modified = response.Header.Get("Last-Modified")
	}
	if d.done > 0 && v.validator() == "" {
		v.Tag, v.Modified = d.version.Tag, d.version.Modified
	}
	d.version = v
	text, err := json.Marshal(v)
	if err != nil {
		return refused("%w", err)
	}
	if err := os.WriteFile(d.path+".json", text, 0o600); err != nil {
		return refused("%w", err)
	}
	return nil
}

// append copies a body to the end of the file. It returns nil only where the file has as many bytes as it should.
func (d *download) append(body io.Reader, stall *time.Timer) error {
	block := make([]byte, 256<<10)
	limit := d.options.MaxSize
	for _, known := range [...]int64{d.version.Total, d.source.Size} {
		if known > 0 {
			limit = min(limit, known)
		}
	}
	for {
		n, err := body.Read(block)
		stall.Reset(d.options.Stall)
		if d.done+int64(n) > limit {
			return refused("the server sent more than %d bytes", limit)
		}
		if n > 0 {
			if _, err := d.file.Write(block[:n]); err != nil {
				return refused("%w", err) // of the disk
			}
			d.done += int64(n)
			if d.options.Progress != nil {
				d.options.Progress(d.done, max(d.version.Total, d.source.Size))
			}
		}
		switch {
		case errors.Is(err, io.EOF) && d.version.Total > 0 && d.done < d.version.Total:
			return fmt.Errorf("the connection ended at byte %d of %d", d.done, d.version.Total)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// finish checks the whole file and makes it durable.
func (d *download) finish() (Result, error) {
	if err := d.file.Sync(); err != nil {
		return Result{}, err
	}
	if err := d.file.Close(); err != nil {
		return Result{}, err
	}
	sum, err := hashFile(d.path)
	if err != nil {
		return Result{}, err
	}
	var wrong error
	switch {
	case d.source.Size > 0 && d.done != d.source.Size:
		wrong = refused("got %d bytes, want %d", d.done, d.source.Size)
	case d.source.SHA256 != "" && sum != d.source.SHA256:
		wrong = refused("got sha256 %s, want %s: the file has changed, or was changed on its way", sum, d.source.SHA256)
	}
	if wrong != nil {
		return Result{}, errors.Join(wrong, os.Remove(d.path), os.Remove(d.path+".json"))
	}
	return Result{Size: d.done, SHA256: sum, Resumed: d.resumed}, nil
}

// readRange reads "bytes 5-9/10", with total 0 for an unknown one, and "bytes */10", with from -1.
func readRange(s string) (from, total int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, of, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		return 0, 0, false
	}
	if of != "*" {
		n, err := strconv.ParseInt(of, 10, 64)
		if err != nil || n < 0 {
			return 0, 0, false
		}
		total = n
	}
	if span == "*" {
		return -1, total, true
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return 0, 0, false
	}
	from, errFrom := strconv.ParseInt(first, 10, 64)
	to, errTo := strconv.ParseInt(last, 10, 64)
	if errFrom != nil || errTo != nil || from < 0 || to < from || total > 0 && to != total-1 {
		return 0, 0, false
	}
	return from, total, true
}

// syncFolder makes a rename durable, where the system lets a folder be synced.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
