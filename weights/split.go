package weights

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A GGUF model may be split into files name-00001-of-00003.gguf, of which the
// first bears the metadata. Each says its place (llama.cpp, tools/gguf-split).
const (
	splitNumberKey  = "split.no" // from 0
	splitCountKey   = "split.count"
	splitTensorsKey = "split.tensors.count" // of all files
)

// split is a file's place among those of a split model; count is 0 or 1 for a
// whole model.
type split struct{ number, count, tensors int }

var splitName = regexp.MustCompile(`^(.*)-([0-9]{5})-of-([0-9]{5})\.gguf$`)

// split reads the file's place from its metadata.
func (h *header) split() (s split, err error) {
	if h.container != GGUF || !h.metadata.Has(splitCountKey) {
		return split{}, nil
	}
	if s.count, err = h.metadata.Uint(splitCountKey); err != nil || s.count <= 1 {
		return s, err
	}
	if s.number, err = h.metadata.Uint(splitNumberKey); err != nil {
		return s, err
	}
	if s.number >= s.count {
		return s, fmt.Errorf("%s is %d, want less than %d", splitNumberKey, s.number, s.count)
	}
	s.tensors, err = h.metadata.Uint(splitTensorsKey)
	return s, err
}

// wholeSplit refuses a file that is one of several.
func (h *header) wholeSplit() (split, error) {
	s, err := h.split()
	if err == nil && s.count > 1 {
		err = fmt.Errorf("file %d of %d of a split model: open it by its path", s.number+1, s.count)
	}
	return s, err
}

// openSplit opens all files of a split model, of which path is any.
func (f *File) openSplit(path string, want split) error {
	match := splitName.FindStringSubmatch(filepath.Base(path))
	if match == nil || match[3] != fmt.Sprintf("%05d", want.count) || match[2] != fmt.Sprintf("%05d", want.number+1) {
		return fmt.Errorf("file %d of %d of a split model: want the name NAME-%05d-of-%05d.gguf", want.number+1, want.count, want.number+1, want.count)
	}
	for i := range want.count {
		name := fmt.Sprintf("%s-%05d-of-%05d.gguf", match[1], i+1, want.count)
		s, err := openShard(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
		if err := f.addSplit(s, split{i, want.count, want.tensors}); err != nil {
			return errors.Join(fmt.Errorf("file %s: %w", name, err), s.release())
		}
	}
	if len(f.names) != want.tensors {
		return fmt.Errorf("the %d files hold %d tensors, %s promises %d", want.count, len(f.names), splitTensorsKey, want.tensors)
	}
	return nil
}

// addSplit takes one file of a split model; the metadata is the first's.
func (f *File) addSplit(s *shard, want split) error {
	got, err := s.header.split()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("says that it is file %d of %d with %d tensors in all, want %d of %d with %d",
			got.number+1, got.count, got.tensors, want.number+1, want.count, want.tensors)
	}
	for _, e := range s.header.entries {
		if f.Has(e.name) {
			return fmt.Errorf("tensor %.100q: in an earlier file as well", e.name)
		}
	}
	if want.number > 0 {
		s.header.metadata = nil
	}
	// What is opened is whole again, and may be written as such.
	s.header.metadata = slices.DeleteFunc(s.header.metadata, func(pair KV) bool {
		return pair.Key == splitNumberKey || pair.Key == splitCountKey || pair.Key == splitTensorsKey
	})
	f.add(s)
	return nil
}

// onlyGGUF returns the path of the only GGUF model in a folder; a split model
// counts as its first file.
func onlyGGUF(folder string) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", withoutPath(err)
	}
	var found []string
	for _, e := range entries {
		match := splitName.FindStringSubmatch(e.Name())
		if strings.HasSuffix(e.Name(), ".gguf") && (match == nil || match[2] == "00001") {
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("folder holds neither %s nor %s nor a .gguf file", singleName, indexName)
	case 1:
		return filepath.Join(folder, found[0]), nil
	}
	return "", fmt.Errorf("folder holds %d GGUF models, such as %s and %s: name one", len(found), found[0], found[1])
}
