package page

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// The most bytes that are read of one file.
const (
	maxManifest = 4 << 20
	maxRecords  = 1 << 30
	maxLine     = 8 << 20
	maxDepth    = 4 // folders below the root
)

// place is a folder of a run that has been looked at: it lies below the root, and no part of its path is a link.
type place struct {
	root *os.Root
	name string // with slashes, below the root
	dir  string
}

func (p *place) close() { _ = p.root.Close() } // it was only read

// open finds a run by its name below root.
func openPlace(root, name string) (*place, error) {
	if root == "" {
		return nil, notFound("this server shows no runs")
	}
	if len(name) > 400 || !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\:\x00") || strings.Count(name, "/") >= maxDepth {
		return nil, badRequest("run: got %.60q, want the name of a run's folder", name)
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, notFound("the folder of the runs cannot be opened")
	}
	p := &place{root: r, name: name, dir: filepath.Join(root, filepath.FromSlash(name))}
	at := ""
	for part := range strings.SplitSeq(name, "/") {
		at = filepath.Join(at, part)
		info, err := r.Lstat(at)
		if err != nil || !info.IsDir() || strings.HasPrefix(part, ".") {
			p.close()
			return nil, notFound("there is no run %.60q", name)
		}
	}
	if _, err := p.size("run.json", maxManifest); err != nil {
		p.close()
		return nil, notFound("there is no run %.60q", name)
	}
	return p, nil
}

// size returns the size of a file of the run, and an error unless it is a regular file of at most so many bytes.
func (p *place) size(file string, most int64) (int64, error) {
	info, err := p.root.Lstat(filepath.Join(filepath.FromSlash(p.name), file))
	switch {
	case err != nil:
		return 0, err
	case !info.Mode().IsRegular():
		return 0, fmt.Errorf("%s is no regular file", file)
	case info.Size() > most:
		return 0, fmt.Errorf("%s has %d bytes, and at most %d are read", file, info.Size(), most)
	}
	return info.Size(), nil
}

// open opens a file of the run for reading.
func (p *place) open(file string, most int64) (*os.File, int64, error) {
	size, err := p.size(file, most)
	if err != nil {
		return nil, 0, err
	}
	f, err := p.root.Open(filepath.Join(filepath.FromSlash(p.name), file))
	return f, size, err
}

// read reads a small file of the run whole, nil if there is none.
func (p *place) read(file string, most int64) ([]byte, error) {
	f, size, err := p.open(file, most)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text := make([]byte, size)
	n, err := f.ReadAt(text, 0)
	if int64(n) == size {
		err = nil
	}
	return text[:n], err
}

// safe reports why a run's folder cannot be handed to those who open its files by name: one that is no regular file, or is too large.
func (p *place) safe() error {
	for _, file := range []string{"run.json", "metrics.jsonl", "samples.jsonl", "timing.jsonl", "status.json", "lock"} {
		most := int64(maxRecords)
		if file == "run.json" || file == "status.json" || file == "lock" {
			most = maxManifest
		}
		if _, err := p.size(file, most); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &fault{422, fmt.Sprintf("run %.60q: %v", p.name, err)}
		}
	}
	info, err := p.root.Lstat(filepath.Join(filepath.FromSlash(p.name), "checkpoints"))
	if err == nil && !info.IsDir() {
		return &fault{422, fmt.Sprintf("run %.60q: checkpoints is no folder", p.name)}
	}
	return nil
}

// cache keeps the values that were used last.
type cache[T any] struct {
	mu    sync.Mutex
	most  int
	names []string // the one used last at the end
	all   map[string]T
}

func newCache[T any](most int) *cache[T] { return &cache[T]{most: most, all: map[string]T{}} }

// get returns the value of a name, made by fresh where there is none.
func (c *cache[T]) get(name string, fresh func() T) T {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.names {
		if other == name {
			c.names = append(append(c.names[:i:i], c.names[i+1:]...), name)
			return c.all[name]
		}
	}
	if len(c.names) >= c.most {
		delete(c.all, c.names[0])
		c.names = c.names[1:]
	}
	value := fresh()
	c.names, c.all[name] = append(c.names, name), value
	return value
}
