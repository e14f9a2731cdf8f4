package doctor

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/weights"
)

// hashedAtOnce is the size up to which a file's hash is compared without being asked for.
const hashedAtOnce = 64 << 20

// models opens every model of the stores and compares the hashes of its files with their names.
func models(ctx context.Context, p *Place) (found []Finding) {
	all, err := hub.List(p.Hub)
	if err != nil {
		return one(Fault, "look at the path", "%v", err)
	}
	var hashed, bytes int64
	skipped := 0
	for _, m := range all {
		name, repair := m.Reference.String(), "retort models rm, and pull it again"
		if m.Store == hub.Ollama {
			repair = "ollama rm, and pull it again"
		}
		bytes += m.Bytes
		if m.Lacks != "" {
			found = append(found, Finding{Status: Warning, Found: fmt.Sprintf("%s is not complete: lacks %s", name, m.Lacks), Do: "retort pull " + name})
			continue
		}
		if err := opens(m.Path); err != nil {
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s: %v", name, err), Do: repair})
			continue
		}
	}
	for _, blob := range blobs(p.Hub) {
		if ctx.Err() != nil {
			break
		}
		info, err := os.Stat(blob.path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Size() > hashedAtOnce && !p.Deep {
			skipped++
			continue
		}
		hashed += info.Size()
		if got, err := blob.sum(info.Size()); err != nil {
			found = append(found, Finding{Status: Fault, Found: err.Error(), Do: "look at the path"})
		} else if got != blob.want {
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s has the hash %.12s...: its bytes are not those that were fetched", blob.path, got), Do: "remove it, and pull the model again"})
		}
	}
	if len(all) == 0 && len(found) == 0 {
		return one(OK, "", "none here but the one in the program")
	}
	note := ""
	if skipped > 0 {
		note = fmt.Sprintf("; %d large files were not read: --deep does", skipped)
	}
	return orOK(short(found), "%d of %s can be opened; the hashes of %s are right%s", len(all), size(bytes), size(hashed), note)
}

// opens looks whether a file of weights is whole, by its head; other files and folders are not looked at.
func opens(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return nil
	}
	file, err := weights.Open(path)
	if err != nil {
		return err
	}
	return file.Close()
}

// blob is a file whose name is its hash.
type blob struct {
	path, want string
	isGit      bool // the hash is that of a git object
}

// blobs are those of both stores.
func blobs(o hub.Options) (all []blob) {
	add := func(pattern, prefix string) {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return
		}
		for _, path := range paths {
			name, ok := strings.CutPrefix(filepath.Base(path), prefix)
			if _, err := hex.DecodeString(name); !ok || err != nil || len(name) != 64 && len(name) != 40 {
				continue
			}
			all = append(all, blob{path, name, len(name) == 40})
		}
	}
	if o.CacheDir != "" {
		add(filepath.Join(o.CacheDir, "models--*", "blobs", "*"), "")
	}
	if o.OllamaDir != "" {
		add(filepath.Join(o.OllamaDir, "blobs", "sha256-*"), "sha256-")
	}
	return all
}

// sum is the hash of a blob as its name should have it.
func (b blob) sum(size int64) (string, error) {
	file, err := os.Open(b.path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	var h hash.Hash = sha256.New()
	if b.isGit {
		h = sha1.New()
		fmt.Fprintf(h, "blob %d\x00", size)
	}
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
