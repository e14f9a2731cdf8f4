package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Removal is what would go from the cache, before it goes.
type Removal struct {
	Paths []string // in the order in which they go: names before their bytes
	Bytes int64    // that are free afterwards

	folders []string // that go if they are empty then
}

// add notes a file.
func (r *Removal) add(path string, bytes int64) {
	r.Paths = append(r.Paths, path)
	r.Bytes += bytes
}

// Remove removes what was planned. What is gone already is no error.
func (r *Removal) Remove() error {
	var faults []error
	for _, path := range r.Paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	for _, folder := range r.folders {
		removeEmpty(folder)
	}
	return errors.Join(faults...)
}

// removeEmpty removes a folder and those in it that hold nothing.
func removeEmpty(folder string) {
	names, err := cacheEntries(folder)
	if err != nil {
		return
	}
	for _, name := range names {
		path := filepath.Join(folder, name)
		if info, err := os.Lstat(path); err == nil && info.IsDir() {
			removeEmpty(path)
		}
	}
	os.Remove(folder) // fails where something is left
}

// PlanRemoval says what goes when a model goes: its names, the bytes that no
// other name has, and what described it if no weights are left beside it. A
// model of another store is an error.
func (m *Model) PlanRemoval(o Options) (*Removal, error) {
	if m.Store != HuggingFace {
		return nil, fmt.Errorf("hub: %s: it belongs to %s: remove it there (ollama rm)", m.Reference, m.Store)
	}
	dir := o.snapshotDir(m.Reference.Repo, m.Commit)
	blobs, err := o.blobs(m.Reference.Repo)
	if err != nil {
		return nil, err
	}
	all, err := snapshotFiles(dir)
	if err != nil {
		return nil, err
	}
	going := m.files
	isLast := !slices.ContainsFunc(all, func(f File) bool { return isWeights(f.Path) && !slices.ContainsFunc(m.files, samePath(f)) })
	if isLast {
		going = all
	} else if m.Reference.Quant == quantSafetensors {
		going = slices.DeleteFunc(slices.Clone(going), func(f File) bool { return !isWeights(f.Path) })
	}
	r := &Removal{folders: []string{dir}}
	for _, f := range going {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		b := blobs[linkTarget(path)]
		if b == nil { // the file itself, or a link that leads out of the cache
			bytes := int64(0)
			if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
				bytes = info.Size()
			}
			r.add(path, bytes)
			continue
		}
		r.add(path, 0)
		if b.Users = slices.DeleteFunc(b.Users, func(u string) bool { return u == m.Commit+"/"+f.Path }); len(b.Users) == 0 {
			r.add(b.Path, b.Bytes)
		}
	}
	if isLast {
		folder := filepath.Join(o.CacheDir, cacheFolder(m.Reference.Repo))
		for _, revision := range m.Revisions {
			r.add(filepath.Join(folder, "refs", filepath.FromSlash(revision)), 0)
		}
		r.folders = append(r.folders, folder, filepath.Join(o.CacheDir, ".locks", cacheFolder(m.Reference.Repo)))
	}
	return r, nil
}

func samePath(f File) func(File) bool { return func(g File) bool { return g.Path == f.Path } }

// isWeights says whether a file's name is that of weights, ours or another's.
func isWeights(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".gguf", ".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".npz":
		return true
	}
	return false
}

// pruneAge is how old what is thrown away must be: another program may be about
// to give it a name.
const pruneAge = 10 * time.Minute

// PlanPrune finds what no model uses: downloads that were broken off and that
// nobody goes on with at the moment, and bytes without a name, both untouched
// for ten minutes.
func PlanPrune(o Options) (*Removal, error) {
	r := &Removal{}
	if o.CacheDir == "" {
		return r, nil
	}
	folders, err := cacheEntries(o.CacheDir)
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		repo, ok := repoOf(folder)
		if !ok {
			continue
		}
		blobs, err := o.blobs(repo)
		if err != nil {
			return nil, err
		}
		for _, b := range blobs {
			info, err := os.Lstat(b.Path)
			if err != nil || len(b.Users) > 0 || time.Since(info.ModTime()) < pruneAge || o.isLocked(folder, b.Path) {
				continue
			}
			r.add(b.Path, b.Bytes)
		}
	}
	slices.Sort(r.Paths)
	return r, nil
}

// isLocked says whether somebody downloads a blob.
func (o *Options) isLocked(folder, blob string) bool {
	hash, _, _ := strings.Cut(filepath.Base(blob), ".")
	file, err := os.OpenFile(filepath.Join(o.CacheDir, ".locks", folder, hash+".lock"), os.O_RDWR, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer file.Close() // gives the lock back
	taken, err := tryLock(file)
	return err != nil || !taken
}
