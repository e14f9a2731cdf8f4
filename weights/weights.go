// Package weights opens and writes model files (GGUF, safetensors) as metadata plus named tensors.
//
// It does not know what a model is: names, shapes and completeness are judged
// by the caller, and each container's names are left as they are. It does not
// convert what it reads; [NamedTensor] quantises while it is written.
//
// Invariants: every offset and size of a file is checked against the file's
// length before use, without overflow, so that a hostile or cut file is an
// error at [Open] and nothing else; no two tensors of an opened file overlap,
// and those of a safetensors file cover its data exactly; the writers replace a
// file whole or leave it untouched, and the same input always gives the same
// bytes.
package weights

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/retort-ml/retort/tensor"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// Container is a kind of model file.
type Container uint8

// The containers.
const (
	Safetensors Container = iota
	GGUF
)

// String returns the container's name.
func (c Container) String() string {
	if c == GGUF {
		return "GGUF"
	}
	return "safetensors"
}

// File is an opened model file, or the files of a sharded model.
//
// On unix the data is mapped, so that opening reads the header only. The
// tensors are views: they are valid until Close and must not be written to.
// Nobody may shorten the file meanwhile.
type File struct {
	container Container
	shards    []*shard
	tensors   map[string]tensor.Tensor
	names     []string
	metadata  Metadata
}

// shard is one file of a model.
type shard struct {
	name     string
	bytes    []byte // whole file
	modified time.Time
	release  func() error
	header   header
}

// Open opens a model for reading. The path is a safetensors or GGUF file (known
// by its first bytes, whatever its name), one of the files of a GGUF model that
// was split, a model.safetensors.index.json that names the shards beside it, or
// a folder that holds one model: model.safetensors before its index, before the
// only GGUF model.
func Open(path string) (*File, error) {
	resolved, isIndex, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", path, err)
	}
	f := &File{tensors: make(map[string]tensor.Tensor)}
	if isIndex {
		err = f.openSharded(resolved)
	} else {
		err = f.openSingle(resolved)
	}
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", path, errors.Join(err, f.Close()))
	}
	return f, nil
}

// Parse reads a safetensors or GGUF file that is in memory already. The data
// must not be changed while the file is in use; name stands in errors. One file
// of a split GGUF model is an error.
func Parse(name string, data []byte) (*File, error) {
	h, err := parseFile(data)
	if err == nil {
		_, err = h.wholeSplit()
	}
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", name, err)
	}
	f := &File{tensors: make(map[string]tensor.Tensor, len(h.entries))}
	f.add(&shard{name: name, bytes: data, release: func() error { return nil }, header: h})
	return f, nil
}

func resolve(path string) (resolved string, isIndex bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false, withoutPath(err)
	}
	if !info.IsDir() {
		return path, filepath.Ext(path) == ".json", nil
	}
	for _, name := range []string{singleName, indexName} {
		candidate := filepath.Join(path, name)
		if _, err := os.Stat(candidate); err == nil {
			return candidate, name == indexName, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", false, err
		}
	}
	resolved, err = onlyGGUF(path)
	return resolved, false, err
}

func (f *File) openSingle(path string) error {
	s, err := openShard(path)
	if err != nil {
		return err
	}
	f.container = s.header.container
	split, err := s.header.split()
	if err == nil && split.count > 1 {
		return errors.Join(f.openSplit(path, split), s.release())
	}
	if err != nil {
		return errors.Join(err, s.release())
	}
	f.add(s)
	return nil
}

// add takes the shard's tensors, whose names the caller has found to be new.
func (f *File) add(s *shard) {
	f.shards = append(f.shards, s)
	for _, e := range s.header.entries {
		f.names = append(f.names, e.name)
		f.tensors[e.name] = tensor.Tensor{Name: e.name, Format: e.format, Shape: e.shape,
			Data: s.bytes[s.header.size+e.begin : s.header.size+e.end : s.header.size+e.end]}
	}
	if len(f.shards) == 1 {
		f.metadata, f.container = s.header.metadata, s.header.container
		return
	}
	f.metadata = merge(f.metadata, s.header.metadata)
}

// merge returns the union of both, the second's values winning.
func merge(first, second Metadata) Metadata {
	place := make(map[string]int, len(first))
	for i, pair := range first {
		place[pair.Key] = i
	}
	merged := append(Metadata(nil), first...)
	for _, pair := range second {
		if i, ok := place[pair.Key]; ok {
			merged[i] = pair
		} else {
			merged = append(merged, pair)
		}
	}
	return merged
}

func openShard(path string) (*shard, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	bytes, release, err := mapFile(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	h, err := parseFile(bytes)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return &shard{name: filepath.Base(path), bytes: bytes, modified: info.ModTime(), release: release, header: h}, nil
}

// Names returns the tensors' names in the order in which they lie in the file,
// shard after shard. The slice is the caller's.
func (f *File) Names() []string { return append([]string(nil), f.names...) }

// Has says whether the file holds a tensor of that name.
func (f *File) Has(name string) bool {
	_, ok := f.tensors[name]
	return ok
}

// Tensor returns the tensor of that name, a view that is valid until Close and
// must not be written to. An absent name is an error; see [File.Has].
func (f *File) Tensor(name string) (tensor.Tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return tensor.Tensor{}, fmt.Errorf("weights: tensor %q: not in the file, which holds %d others", name, len(f.names))
	}
	return t, nil
}

// Container returns the kind of file that the tensors come from.
func (f *File) Container() Container { return f.container }

// Metadata returns what the file says about itself, in the file's order (of
// safetensors, in the order of the keys); of a sharded model, the union over
// the shards, the last shard's winning, and of a split GGUF model the first
// file's. It stays valid after Close. Its lists must not be written to.
func (f *File) Metadata() Metadata { return append(Metadata(nil), f.metadata...) }

// Close releases the file; all tensors taken from it become invalid. A second
// Close does nothing.
func (f *File) Close() error {
	var faults []error
	for _, s := range f.shards {
		faults = append(faults, s.release())
	}
	*f = File{}
	return errors.Join(faults...)
}

// openSharded opens every shard that the index names, and compares what the
// shards hold with what the index promises.
func (f *File) openSharded(path string) error {
	place, err := readIndex(path)
	if err != nil {
		return err
	}
	promised := make(map[string]int)
	for _, shardName := range place {
		promised[shardName]++
	}
	shardNames := make([]string, 0, len(promised))
	for name := range promised {
		shardNames = append(shardNames, name)
	}
	sort.Strings(shardNames)
	for _, shardName := range shardNames {
		s, err := openShard(filepath.Join(filepath.Dir(path), shardName))
		if err != nil {
			return fmt.Errorf("shard %s: %w", shardName, err)
		}
		if err := s.compare(place, promised[shardName]); err != nil {
			return errors.Join(err, s.release())
		}
		f.add(s)
	}
	return nil
}

// compare says whether the shard holds exactly the tensors that the index
// places there.
func (s *shard) compare(place map[string]string, promised int) error {
	for _, e := range s.header.entries {
		if got, ok := place[e.name]; !ok || got != s.name {
			return fmt.Errorf("shard %s: tensor %q: the index places it in %q", s.name, e.name, got)
		}
	}
	if got := len(s.header.entries); got != promised {
		return fmt.Errorf("shard %s: got %d tensors, the index promises %d", s.name, got, promised)
	}
	return nil
}

// withoutPath drops the path that the file system's error repeats.
func withoutPath(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
