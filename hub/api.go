package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
)

// The limits of what the hub may answer: repositories have some hundred files,
// in pages of a thousand.
const (
	maxAnswer    = 32 << 20 // bytes
	maxTreePages = 20
	// A question that fails is not worth the patience of a download: somebody waits.
	maxAskRetries = 2
)

// ask reads one JSON answer of the hub, with retries, and returns its header.
func (o *Options) ask(ctx context.Context, address string, into any) (header http.Header, err error) {
	patient := *o
	patient.Retries = min(o.retries(), maxAskRetries)
	err = patient.again(ctx, "the hub", func() (bool, error) {
		ctx, alive, stalled, stop := watch(ctx, o.stall())
		defer stop()
		response, _, err := o.get(ctx, address, nil)
		if err == nil {
			defer response.Body.Close()
			alive()
			if response.StatusCode != http.StatusOK {
				err = statusError(response, o.Token != "")
			}
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(io.LimitReader(liveReader{response.Body, alive}, maxAnswer+1))
		}
		switch {
		case err != nil && stalled():
			return false, fmt.Errorf("nothing came for %s", o.stall())
		case err != nil:
			return false, err
		case len(data) > maxAnswer:
			return false, permanent{fmt.Errorf("an answer of more than %d bytes", maxAnswer)}
		}
		header = response.Header
		if err := json.Unmarshal(data, into); err != nil {
			return false, permanent{fmt.Errorf("%s: not an answer of a hub: %w", safeURL(response.Request.URL), err)}
		}
		return true, nil
	})
	return header, err
}

// escapePath escapes each name of a path for an address.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// commit asks which commit a revision is.
func (o *Options) commit(ctx context.Context, repo, revision string) (string, error) {
	if revision == "" {
		revision = mainRevision
	}
	if isCommit(revision) {
		return strings.ToLower(revision), nil
	}
	base, err := o.endpoint()
	if err != nil {
		return "", err
	}
	var answer struct {
		SHA string `json:"sha"`
	}
	if _, err := o.ask(ctx, base.String()+"/api/models/"+repo+"/revision/"+url.PathEscape(revision), &answer); err != nil {
		return "", err
	}
	if !isCommit(answer.SHA) {
		return "", fmt.Errorf("the hub says that %s is %.60q, want a commit", revision, answer.SHA)
	}
	return strings.ToLower(answer.SHA), nil
}

// treeEntry is a file or a folder as the hub lists it. A large file's own hash
// is in lfs; then oid is that of the pointer.
type treeEntry struct {
	Type string `json:"type"`
	Path string `json:"path"`
	Size int64  `json:"size"`
	OID  string `json:"oid"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	} `json:"lfs"`
}

var nextPage = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="next"`)

// tree lists the files of a commit.
func (o *Options) tree(ctx context.Context, repo, commit string) ([]File, error) {
	base, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	address := base.String() + "/api/models/" + repo + "/tree/" + commit + "?recursive=true"
	var files []File
	for range maxTreePages {
		var page []treeEntry
		header, err := o.ask(ctx, address, &page)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.Type != "file" {
				continue
			}
			f, err := e.file()
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
		m := nextPage.FindStringSubmatch(header.Get("Link"))
		if m == nil {
			return files, nil
		}
		next, err := url.Parse(m[1])
		if err != nil || next.Scheme != base.Scheme || next.Host != base.Host {
			return nil, errors.New("the hub's list goes on at another host")
		}
		address = next.String()
	}
	return nil, fmt.Errorf("the hub's list has more than %d pages", maxTreePages)
}

// file checks what the hub says: names become paths on this machine's disk, and
// hashes names of blobs.
func (e *treeEntry) file() (File, error) {
	f := File{Path: e.Path, Size: e.Size, GitSHA: strings.ToLower(e.OID)}
	if e.LFS != nil {
		f.Size, f.SHA256, f.GitSHA = e.LFS.Size, strings.ToLower(e.LFS.OID), ""
	}
	switch {
	case !isSafePath(e.Path):
		return f, fmt.Errorf("the hub lists a file with the name %.100q", e.Path)
	case f.Size < 0:
		return f, fmt.Errorf("the hub lists %.100q with %d bytes", e.Path, f.Size)
	case !isHex(f.SHA256, 64) && !isHex(f.GitSHA, 40):
		return f, fmt.Errorf("the hub lists %.100q without a hash", e.Path)
	}
	return f, nil
}

// isSafePath says whether a path with slashes stays below where it begins, on
// every system.
func isSafePath(path string) bool {
	return len(path) <= 1000 && filepath.IsLocal(filepath.FromSlash(path)) && !strings.ContainsAny(path, "\\:\x00") &&
		path != "." && !strings.Contains(path, "//") && !strings.HasSuffix(path, "/")
}

// blob is the name of a file's bytes in the cache.
func (f *File) blob() string {
	if f.SHA256 != "" {
		return f.SHA256
	}
	return f.GitSHA
}
