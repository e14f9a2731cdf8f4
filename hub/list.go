package hub

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Model is a model in a store.
type Model struct {
	Local
	// Revisions are the branches and tags that are at its commit; none for Ollama's.
	Revisions []string
	Commit    string // "" for Ollama's
	Modified  time.Time
	// Lacks says what is missing; "" if the model is complete.
	Lacks string

	files []File
}

// List returns the models of both stores, sorted by reference and commit.
func List(o Options) ([]Model, error) {
	models, err := o.listCache()
	if err != nil {
		return nil, err
	}
	names, err := o.ollamaNames()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		m := Model{Local: Local{Store: Ollama, Reference: Reference{Ollama: name}}}
		if local, err := o.inOllama(m.Reference); err != nil {
			m.Lacks = "its weights"
		} else if local != nil {
			m.Local = *local
			if info, err := os.Stat(local.Path); err == nil {
				m.Modified = info.ModTime()
			}
		}
		models = append(models, m)
	}
	slices.SortFunc(models, func(a, b Model) int {
		return cmp.Or(cmp.Compare(a.Reference.String(), b.Reference.String()), cmp.Compare(a.Commit, b.Commit))
	})
	return models, nil
}

// cacheEntries lists the names in a folder, none if it is absent.
func cacheEntries(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (o *Options) listCache() (models []Model, err error) {
	if o.CacheDir == "" {
		return nil, nil
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
		commits, err := cacheEntries(filepath.Join(o.CacheDir, folder, "snapshots"))
		if err != nil {
			return nil, err
		}
		revisions, err := o.revisions(repo)
		if err != nil {
			return nil, err
		}
		for _, commit := range commits {
			list, err := o.listSnapshot(repo, commit, revisions[commit])
			if err != nil {
				return nil, err
			}
			models = append(models, list...)
		}
	}
	return models, nil
}

// revisions returns the branches and tags of a repository by their commit.
func (o *Options) revisions(repo string) (map[string][]string, error) {
	byCommit := map[string][]string{}
	top := filepath.Join(o.CacheDir, cacheFolder(repo), "refs")
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		data, err := readSmall(path, 1000)
		relative, relErr := filepath.Rel(top, path)
		if commit := strings.TrimSpace(string(data)); err == nil && relErr == nil && isCommit(commit) {
			byCommit[commit] = append(byCommit[commit], filepath.ToSlash(relative))
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return byCommit, err
}

// listSnapshot lists the models of one commit.
func (o *Options) listSnapshot(repo, commit string, revisions []string) (models []Model, err error) {
	dir := o.snapshotDir(repo, commit)
	files, err := snapshotFiles(dir)
	if err != nil {
		return nil, err
	}
	for _, v := range variants(files) {
		r := Reference{Repo: repo, Quant: v.quant}
		if !slices.Contains(revisions, mainRevision) {
			r.Revision = commit
			if len(revisions) > 0 {
				r.Revision = revisions[0]
			}
		}
		m := Model{
			Local:     Local{Path: filepath.Join(dir, filepath.FromSlash(v.main)), Store: HuggingFace, Reference: r, Bytes: sizeOf(v.files), commit: commit},
			Revisions: revisions, Commit: commit, Lacks: v.lacks, files: v.files,
		}
		for _, f := range v.files {
			if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(f.Path))); err == nil && info.ModTime().After(m.Modified) {
				m.Modified = info.ModTime()
			}
		}
		models = append(models, m)
	}
	return models, nil
}

// Blob is the bytes of a file in the cache, with whoever has a name for them.
type Blob struct {
	Path  string
	Bytes int64
	Users []string // COMMIT/NAME, sorted
}

// blobs returns the blobs of a repository by their path, with their users.
func (o *Options) blobs(repo string) (map[string]*Blob, error) {
	folder := filepath.Join(o.CacheDir, cacheFolder(repo))
	names, err := cacheEntries(filepath.Join(folder, "blobs"))
	if err != nil {
		return nil, err
	}
	found := map[string]*Blob{}
	for _, name := range names {
		path := filepath.Join(folder, "blobs", name)
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			found[path] = &Blob{Path: path, Bytes: info.Size()}
		}
	}
	top := filepath.Join(folder, "snapshots")
	err = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink == 0 {
			return err
		}
		relative, err := filepath.Rel(top, path)
		if b := found[linkTarget(path)]; b != nil && err == nil {
			b.Users = append(b.Users, filepath.ToSlash(relative))
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return found, err
}

// linkTarget is where a link leads, "" if it is none.
func linkTarget(path string) string {
	target, err := os.Readlink(path)
	if err != nil {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(path), target)
	}
	return filepath.Clean(target)
}

// Blobs lists the bytes that a model's repository has in the cache, sorted by path.
func (m *Model) Blobs(o Options) ([]Blob, error) {
	if m.Store != HuggingFace {
		return nil, nil
	}
	found, err := o.blobs(m.Reference.Repo)
	var list []Blob
	for _, b := range found {
		list = append(list, *b)
	}
	slices.SortFunc(list, func(a, b Blob) int { return cmp.Compare(a.Path, b.Path) })
	return list, err
}
