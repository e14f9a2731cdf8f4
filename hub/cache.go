package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The cache of Hugging Face's tools (huggingface.co/docs/hub/local-cache):
//
//	models--ORG--NAME/blobs/HASH           a file's bytes, under its ETag
//	models--ORG--NAME/snapshots/COMMIT/... links to blobs, under their names
//	models--ORG--NAME/refs/REVISION        the commit of a branch or a tag
//	.locks/models--ORG--NAME/HASH.lock     taken while a blob is downloaded
const (
	cachePrefix   = "models--"
	cacheNameJoin = "--"
	mainRevision  = "main"
	maxCacheFiles = 10_000 // in one snapshot
)

// cacheFolder is the name of a repository's folder in the cache.
func cacheFolder(repo string) string {
	return cachePrefix + strings.ReplaceAll(repo, "/", cacheNameJoin)
}

// repoOf is the repository of a folder in the cache; false if it is none.
func repoOf(folder string) (string, bool) {
	name, ok := strings.CutPrefix(folder, cachePrefix)
	repo := strings.Replace(name, cacheNameJoin, "/", 1)
	return repo, ok && repoPattern.MatchString(repo)
}

// isCommit says whether a revision names a commit.
func isCommit(revision string) bool { return isHex(revision, 40) }

// cachedCommit returns the commit that the cache has for a revision; "" if it has none.
func (o *Options) cachedCommit(repo, revision string) (string, error) {
	if revision == "" {
		revision = mainRevision
	}
	if isCommit(revision) {
		return revision, nil
	}
	data, err := readSmall(filepath.Join(o.CacheDir, cacheFolder(repo), "refs", filepath.FromSlash(revision)), 1000)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	commit := strings.TrimSpace(string(data))
	if err == nil && !isCommit(commit) {
		err = fmt.Errorf("hub: cache: %s: revision %s is %.60q, want a commit", repo, revision, commit)
	}
	return commit, err
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("hub: %s: want a file of at most %d bytes", path, limit)
	}
	return os.ReadFile(path)
}

// snapshotDir is the folder of a commit.
func (o *Options) snapshotDir(repo, commit string) string {
	return filepath.Join(o.CacheDir, cacheFolder(repo), "snapshots", commit)
}

// snapshotFiles lists the files below a folder of the cache whose bytes are there.
func snapshotFiles(dir string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := os.Stat(path) // the blob, not the link
		if err != nil || !info.Mode().IsRegular() {
			return nil
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if files = append(files, File{Path: filepath.ToSlash(relative), Size: info.Size()}); len(files) > maxCacheFiles {
			return fmt.Errorf("hub: %s: more than %d files", dir, maxCacheFiles)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}

// cached returns the model of a reference if the cache has all of it; nil if not.
func (o *Options) cached(r Reference) (*Local, error) {
	if o.CacheDir == "" {
		return nil, nil
	}
	commit, err := o.cachedCommit(r.Repo, r.Revision)
	if err != nil || commit == "" {
		return nil, err
	}
	dir := o.snapshotDir(r.Repo, commit)
	files, err := snapshotFiles(dir)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	for _, v := range variants(files) {
		if (r.Quant == "" || strings.EqualFold(v.quant, r.Quant)) && v.lacks == "" {
			r.Quant = v.quant
			return &Local{Path: filepath.Join(dir, filepath.FromSlash(v.main)), Store: HuggingFace, Reference: r, Bytes: sizeOf(v.files), commit: commit}, nil
		}
	}
	return nil, nil
}

func sizeOf(files []File) (total int64) {
	for _, f := range files {
		total += f.Size
	}
	return total
}
