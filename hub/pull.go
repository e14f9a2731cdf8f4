package hub

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Plan is a download before its first byte.
type Plan struct {
	Reference Reference // with the format that was chosen
	Commit    string
	Files     []PlannedFile
	options   Options
	main      string
}

// PlannedFile is a file of a plan.
type PlannedFile struct {
	File
	// Have is how many of its bytes are on the disk: all, or those of a download that was broken off.
	Have int64
}

// NewPlan asks the hub which files a reference stands for, and looks how much
// of them is in the cache already.
func NewPlan(ctx context.Context, r Reference, o Options) (*Plan, error) {
	fail := func(err error) (*Plan, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("hub: %s: %w", r, err)
	}
	switch {
	case r.Ollama != "":
		return fail(errors.New("only Ollama fetches its models"))
	case o.CacheDir == "":
		return nil, errNoCache
	case o.Offline:
		return fail(ErrOffline)
	}
	commit, err := o.commit(ctx, r.Repo, r.Revision)
	if err != nil {
		return fail(err)
	}
	files, err := o.tree(ctx, r.Repo, commit)
	if err != nil {
		return fail(err)
	}
	v, err := choose(files, r.Quant)
	if err == nil && v.lacks != "" {
		err = fmt.Errorf("the repository lacks %s", v.lacks)
	}
	if err != nil {
		return fail(err)
	}
	r.Quant = v.quant
	p := &Plan{Reference: r, Commit: commit, options: o, main: v.main}
	slices.SortStableFunc(v.files, func(a, b File) int { return cmp.Compare(a.Size, b.Size) })
	for _, f := range v.files {
		p.Files = append(p.Files, PlannedFile{File: f, Have: p.have(&f)})
	}
	return p, nil
}

func (p *Plan) folder() string {
	return filepath.Join(p.options.CacheDir, cacheFolder(p.Reference.Repo))
}

func (p *Plan) blobPath(f *File) string { return filepath.Join(p.folder(), "blobs", f.blob()) }

// have is how many bytes of a file are on the disk.
func (p *Plan) have(f *File) int64 {
	blob := p.blobPath(f)
	if info, err := os.Stat(blob); err == nil && info.Size() == f.Size {
		return f.Size
	}
	if info, err := os.Stat(filepath.Join(p.options.snapshotDir(p.Reference.Repo, p.Commit), filepath.FromSlash(f.Path))); err == nil && info.Size() == f.Size {
		return f.Size // where there are no links, the file itself is there
	}
	if info, err := os.Stat(blob + partialSuffix); err == nil && info.Size() < f.Size {
		return info.Size()
	}
	return 0
}

// Bytes returns the size of all files, and how much of it is missing.
func (p *Plan) Bytes() (total, missing int64) {
	for _, f := range p.Files {
		total += f.Size
		missing += f.Size - f.Have
	}
	return total, missing
}

// Free returns how many bytes can still be written to the disk of the cache.
func (p *Plan) Free() (int64, error) { return Free(p.options.CacheDir) }

// Free returns how much a user may still write to the disk of a folder, which need not be there yet.
func Free(folder string) (int64, error) {
	for {
		free, err := freeBytes(folder)
		if !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			return free, err
		}
		folder = filepath.Dir(folder) // it is made when something comes into it
	}
}

// Pull downloads what is missing into the cache, where Hugging Face's other
// tools find it, small files first. It may be called again after a failure, in
// another process as well, and goes on where it was.
func (p *Plan) Pull(ctx context.Context) (Local, error) {
	base, err := p.options.endpoint()
	if err != nil {
		return Local{}, err
	}
	_, missing := p.Bytes()
	if free, err := p.Free(); err == nil && missing > free {
		return Local{}, fmt.Errorf("hub: %s: %d bytes are left on the disk, want %d", p.Reference, free, missing)
	}
	for i := range p.Files {
		if err := p.pullFile(ctx, &p.Files[i], base.String()); err != nil {
			return Local{}, err
		}
	}
	if err := p.writeRevision(); err != nil {
		return Local{}, fmt.Errorf("hub: %s: %w", p.Reference, err)
	}
	total, _ := p.Bytes()
	path := filepath.Join(p.options.snapshotDir(p.Reference.Repo, p.Commit), filepath.FromSlash(p.main))
	return Local{Path: path, Store: HuggingFace, Reference: p.Reference, Bytes: total, commit: p.Commit}, nil
}

// PullFile downloads one small file of the plan ahead of the others, and returns where it lies.
func (p *Plan) PullFile(ctx context.Context, name string) (string, error) {
	base, err := p.options.endpoint()
	if err != nil {
		return "", err
	}
	for i := range p.Files {
		if p.Files[i].Path == name {
			err := p.pullFile(ctx, &p.Files[i], base.String())
			return filepath.Join(p.options.snapshotDir(p.Reference.Repo, p.Commit), filepath.FromSlash(name)), err
		}
	}
	return "", fmt.Errorf("hub: %s: the plan has no file %.100q", p.Reference, name)
}

// pullFile brings one file into the cache and gives it its name.
func (p *Plan) pullFile(ctx context.Context, f *PlannedFile, endpoint string) error {
	if f.Have < f.Size || f.Size == 0 {
		source := Source{URL: endpoint + "/" + p.Reference.Repo + "/resolve/" + p.Commit + "/" + escapePath(f.Path),
			SHA256: f.SHA256, GitSHA: f.GitSHA, Size: f.Size}
		lock := filepath.Join(p.options.CacheDir, ".locks", cacheFolder(p.Reference.Repo), f.blob()+".lock")
		named := p.options
		if report := p.options.Progress; report != nil {
			named.Progress = func(g Progress) {
				g.Name = f.Path // and not the blob's
				report(g)
			}
		}
		if err := fetch(ctx, source, p.blobPath(&f.File), lock, false, &named); err != nil {
			return err
		}
	}
	if err := p.link(&f.File); err != nil {
		return fmt.Errorf("hub: %s: %s: %w", p.Reference, f.Path, err)
	}
	f.Have = f.Size
	return nil
}

// link gives a blob its name in the snapshot.
func (p *Plan) link(f *File) error {
	path := filepath.Join(p.options.snapshotDir(p.Reference.Repo, p.Commit), filepath.FromSlash(f.Path))
	blob := p.blobPath(f)
	if info, err := os.Stat(path); err == nil && info.Size() == f.Size {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(path), blob)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, path); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(blob, path) // where links are not allowed, as Hugging Face's tools do
}

// writeRevision notes which commit a branch or tag is, once all of it is here.
func (p *Plan) writeRevision() error {
	revision := p.Reference.Revision
	if revision == "" {
		revision = mainRevision
	}
	if isCommit(revision) {
		return nil
	}
	path := filepath.Join(p.folder(), "refs", filepath.FromSlash(revision))
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(bytes.TrimSpace(old), []byte(p.Commit)) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".revision-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString(strings.ToLower(p.Commit))
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}
