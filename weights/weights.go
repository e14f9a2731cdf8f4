// Package weights opens and writes model files (GGUF, safetensors) as metadata plus named tensors.
//
// It does not read GGUF in this version. It does not know what a model is:
// names, shapes and completeness are judged by the caller. It does not convert what it reads; [NamedTensor] rounds
// float32 values while they are written.
//
// Invariants: every offset and size of a file is checked against the file's
// length before use, without overflow, so that a hostile or cut file is an
// error at [Open] and nothing else; the tensors of an opened file cover its
// data exactly, without overlaps and holes; [Write] replaces a file whole or
// leaves it untouched, and the same input always gives the same bytes.
package weights

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/retort-ml/retort/tensor"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// File is an opened model file, or the files of a sharded model.
//
// On unix the data is mapped, so that opening reads the header only. The
// tensors are views: they are valid until Close and must not be written to.
// Nobody may shorten the file meanwhile.
type File struct {
	shards   []*shard
	tensors  map[string]tensor.Tensor
	names    []string
	metadata map[string]string
}

// shard is one safetensors file.
type shard struct {
	name    string
	bytes   []byte // whole file
	release func() error
	header  header
}

// Open opens a model for reading. The path is a .safetensors file, a
// model.safetensors.index.json that names the shards beside it, or a folder
// that holds one of the two (the single file wins).
func Open(path string) (*File, error) {
	resolved, isIndex, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", path, err)
	}
	f := &File{tensors: make(map[string]tensor.Tensor), metadata: make(map[string]string)}
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

// Parse reads a .safetensors file that is in memory already. The data must not
// be changed while the file is in use; name stands in errors.
func Parse(name string, data []byte) (*File, error) {
	h, err := parseHeader(data)
	if err != nil {
		return nil, fmt.Errorf("weights: %s: %w", name, err)
	}
	f := &File{tensors: make(map[string]tensor.Tensor), metadata: make(map[string]string)}
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
	return "", false, fmt.Errorf("folder holds neither %s nor %s", singleName, indexName)
}

func (f *File) openSingle(path string) error {
	s, err := openShard(path)
	if err != nil {
		return err
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
	for key, value := range s.header.metadata {
		f.metadata[key] = value
	}
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
	h, err := parseHeader(bytes)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return &shard{name: filepath.Base(path), bytes: bytes, release: release, header: h}, nil
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

// Metadata returns a copy of the file's free-form texts; of a sharded model,
// the union over the shards, the last shard's winning.
func (f *File) Metadata() map[string]string {
	copied := make(map[string]string, len(f.metadata))
	for key, value := range f.metadata {
		copied[key] = value
	}
	return copied
}

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
