package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// partialSuffix marks what is not complete. Hugging Face's tools use it as well.
const partialSuffix = ".incomplete"

// maxUnannounced bounds a file of which nobody says how long it is.
const maxUnannounced = 16 << 30

// Fetch downloads a file to dst, whose folder is made if need be. A file with
// the source's hash that is there already stays and costs no connection; another
// file in its place is replaced. What arrives is kept beside dst while it is
// incomplete, so that the next call goes on from there if the hash is known; it
// appears at dst only whole and with the right size and hash. Concurrent calls,
// in other processes as well, wait for one another.
//
// The error says which file failed and why; a canceled ctx is ctx's error.
func Fetch(ctx context.Context, source Source, dst string, o Options) error {
	return fetch(ctx, source, dst, dst+".lock", true, &o)
}

// fetch downloads to dst under a lock; isOwnLock says that nobody else needs its file afterwards.
func fetch(ctx context.Context, source Source, dst, lock string, isOwnLock bool, o *Options) error {
	name := filepath.Base(dst)
	fail := func(err error) error {
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			err = fmt.Errorf("hub: %s: %w", name, err)
		}
		return err
	}
	if err := source.check(); err != nil {
		return fail(err)
	}
	for _, path := range []string{dst, lock} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fail(err)
		}
	}
	unlock, err := acquire(ctx, lock, isOwnLock, func() { o.report(Progress{Name: name, Total: source.Size, Waiting: true}) })
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if isThere, err := source.isAt(dst); isThere || err != nil {
		return fail(err)
	}
	d := &download{source: source, dst: dst, name: name, options: o}
	return fail(d.run(ctx))
}

// download is one file on its way.
type download struct {
	source  Source
	dst     string
	name    string
	options *Options

	file   *os.File
	hash   hash.Hash // of the bytes that the file holds; nil if there is none to compare
	have   int64
	total  int64  // of the whole file; 0 while it is not known
	etag   string // of the answer that the bytes come from
	told   time.Time
	broken bool // the hash was wrong once
}

func (d *download) run(ctx context.Context) (err error) {
	partial := d.dst + partialSuffix
	if d.file, err = os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	defer func() {
		if d.file != nil {
			err = errors.Join(err, d.file.Close())
		}
		if info, statErr := os.Stat(partial); err != nil && statErr == nil && info.Size() == 0 {
			os.Remove(partial)
		}
	}()
	d.total = d.source.Size
	if err := d.resume(); err != nil {
		return err
	}
	for {
		if err := d.options.again(ctx, d.name, func() (bool, error) {
			before := d.have
			err := d.part(ctx)
			return d.have > before, err
		}); err != nil {
			return err
		}
		err := d.verify()
		if err == nil {
			break
		}
		// Which byte is wrong cannot be told: the file is fetched once more, whole.
		if restartErr := d.restart(); restartErr != nil || d.broken {
			return errors.Join(err, restartErr)
		}
		d.broken = true
		d.options.report(Progress{Name: d.name, Total: d.total, Retry: err})
	}
	return d.finish(partial)
}

// resume reads what an earlier download left. Without a hash nobody could tell
// whether it is of the same file.
func (d *download) resume() error {
	info, err := d.file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, notRegular(info))
	}
	d.hash = d.source.hash()
	if d.hash == nil || d.source.Size != 0 && info.Size() > d.source.Size {
		return d.restart()
	}
	d.have, err = io.Copy(d.hash, d.file)
	return err
}

// restart begins with no byte.
func (d *download) restart() error {
	d.have, d.etag, d.hash = 0, "", d.source.hash()
	d.total = d.source.Size
	_, err := d.file.Seek(0, io.SeekStart)
	return errors.Join(err, d.file.Truncate(0))
}

// part asks for what is missing, once, and reads what comes.
func (d *download) part(ctx context.Context) error {
	if d.total > 0 && d.have == d.total {
		return nil
	}
	ctx, alive, stalled, stop := watch(ctx, d.options.stall())
	defer stop()
	err := d.ask(ctx, alive)
	if err != nil && stalled() {
		return fmt.Errorf("nothing came for %s", d.options.stall())
	}
	return err
}

func (d *download) ask(ctx context.Context, alive func()) error {
	response, first, err := d.options.get(ctx, d.source.URL, func(h http.Header) {
		if d.have == 0 {
			return
		}
		h.Set("Range", fmt.Sprintf("bytes=%d-", d.have))
		if d.etag != "" {
			h.Set("If-Range", d.etag)
		}
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	alive()
	if err := d.checkLinked(first); err != nil {
		return err
	}
	switch response.StatusCode {
	case http.StatusOK:
		if d.have > 0 { // the server has no ranges, or another file
			if err := d.restart(); err != nil {
				return permanent{err}
			}
		}
		err = d.setTotal(response.ContentLength)
	case http.StatusPartialContent:
		err = d.checkRange(response.Header)
	case http.StatusRequestedRangeNotSatisfiable:
		if err := d.restart(); err != nil {
			return permanent{err}
		}
		return fmt.Errorf("%s: %s", safeURL(response.Request.URL), response.Status)
	default:
		return statusError(response, d.options.Token != "")
	}
	if err != nil {
		return err
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return permanent{fmt.Errorf("the server encodes the file as %.40q, unasked", encoding)}
	}
	if tag := response.Header.Get("ETag"); !strings.HasPrefix(tag, "W/") { // a weak one cannot stand in If-Range
		d.etag = tag
	}
	if err := d.checkDisk(); err != nil {
		return err
	}
	return d.read(liveReader{response.Body, alive})
}

// checkLinked compares what the hub says of a file that lies elsewhere with what
// is wanted (X-Linked-Size and X-Linked-Etag, the SHA-256).
func (d *download) checkLinked(h http.Header) error {
	if size := h.Get("X-Linked-Size"); size != "" && d.source.Size > 0 && size != strconv.FormatInt(d.source.Size, 10) {
		return permanent{fmt.Errorf("the server says that it has %.20s bytes, want %d", size, d.source.Size)}
	}
	tag := strings.Trim(strings.TrimPrefix(h.Get("X-Linked-Etag"), "W/"), `"`)
	if isHex(tag, 2*sha256.Size) && d.source.SHA256 != "" && !strings.EqualFold(tag, d.source.SHA256) {
		return permanent{fmt.Errorf("the server has another file, of hash %.12s..., want %.12s", tag, d.source.SHA256)}
	}
	return nil
}

// setTotal takes the length that the server announces for the whole file; -1 is not known.
func (d *download) setTotal(length int64) error {
	if length < 0 {
		return nil
	}
	if d.source.Size > 0 && length != d.source.Size {
		return permanent{fmt.Errorf("the server announces %d bytes, want %d", length, d.source.Size)}
	}
	d.total = length
	return nil
}

// checkRange reads "Content-Range: bytes FROM-TO/TOTAL".
func (d *download) checkRange(h http.Header) error {
	text := h.Get("Content-Range")
	var from, to, total int64
	if n, err := fmt.Sscanf(text, "bytes %d-%d/%d", &from, &to, &total); n != 3 || err != nil {
		total = 0
		if n < 2 {
			return permanent{fmt.Errorf("the server answers with the range %.60q", text)}
		}
	}
	if from != d.have {
		return permanent{fmt.Errorf("the server answers with bytes from %d on, want from %d on", from, d.have)}
	}
	if total > 0 {
		return d.setTotal(total)
	}
	return nil
}

// checkDisk refuses what cannot fit.
func (d *download) checkDisk() error {
	free, err := freeBytes(filepath.Dir(d.dst))
	if err == nil && d.total > 0 && d.total-d.have > free {
		return permanent{fmt.Errorf("%d bytes are left on the disk, want %d", free, d.total-d.have)}
	}
	return nil // where the free space cannot be read, writing will tell
}

// read appends the body to the file.
func (d *download) read(body io.Reader) error {
	buffer := make([]byte, 256<<10)
	for {
		n, err := body.Read(buffer)
		switch {
		case d.total > 0 && d.have+int64(n) > d.total:
			return permanent{fmt.Errorf("the server sends more than the %d bytes that it announced", d.total)}
		case d.total == 0 && d.have+int64(n) > maxUnannounced:
			return permanent{fmt.Errorf("the server sends more than %d bytes without having announced how many", int64(maxUnannounced))}
		}
		if n > 0 {
			if _, err := d.file.Write(buffer[:n]); err != nil {
				return permanent{err}
			}
			if d.hash != nil {
				d.hash.Write(buffer[:n])
			}
			d.have += int64(n)
			if now := time.Now(); now.Sub(d.told) > 200*time.Millisecond || d.have == d.total {
				d.told = now
				d.options.report(Progress{Name: d.name, Done: d.have, Total: d.total})
			}
		}
		switch {
		case err == io.EOF && d.total > 0 && d.have < d.total:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// verify compares size and hash.
func (d *download) verify() error {
	if d.source.Size > 0 && d.have != d.source.Size {
		return fmt.Errorf("got %d bytes, want %d", d.have, d.source.Size)
	}
	if d.hash == nil {
		return nil
	}
	if got := hex.EncodeToString(d.hash.Sum(nil)); got != d.source.want() {
		return fmt.Errorf("the %d bytes have the hash %.12s..., want %.12s...: what arrived is not the file", d.have, got, d.source.want())
	}
	return nil
}

// finish puts the file in its place so that it lasts.
func (d *download) finish(partial string) error {
	err := errors.Join(d.file.Sync(), d.file.Close())
	d.file = nil
	if err == nil {
		err = os.Rename(partial, d.dst)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(d.dst))
	}
	return err
}
