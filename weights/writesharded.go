package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// defaultShardBytes is what shards of published models have.
const defaultShardBytes = 5_000_000_000

// WriteSharded writes a safetensors model into a folder: shards
// model-00001-of-00003.safetensors with at most limit bytes of data each, and
// their index; or model.safetensors where one file is enough. limit 0 is 5 GB. A
// tensor beyond the limit has a shard of its own. Tensors stay in their order
// over the shards. Each file is written as [Write] does, the index last; then
// the model.safetensors or index of an earlier model in the folder, which would
// compete with it, is removed. Over an earlier model of as many shards, a crash
// between two files leaves a mixture: write into an empty folder.
func WriteSharded(folder string, tensors []NamedTensor, metadata map[string]string, limit int64) error {
	if limit < 0 {
		return fmt.Errorf("weights: %s: limit of %d bytes is negative", folder, limit)
	}
	if limit == 0 {
		limit = defaultShardBytes
	}
	shards, total, err := divide(tensors, limit)
	if err != nil {
		return fmt.Errorf("weights: %s: %w", folder, err)
	}
	if len(shards) == 1 {
		if err := Write(filepath.Join(folder, singleName), tensors, metadata); err != nil {
			return err
		}
		return removeOther(folder, indexName)
	}
	place := make(map[string]string, len(tensors))
	for i, shard := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		for _, t := range shard {
			if _, ok := place[t.Name]; ok {
				return fmt.Errorf("weights: %s: tensor %.100q: name appears twice", folder, t.Name)
			}
			place[t.Name] = name
		}
		if err := Write(filepath.Join(folder, name), shard, metadata); err != nil {
			return err
		}
	}
	if err := writeIndex(filepath.Join(folder, indexName), place, total); err != nil {
		return err
	}
	return removeOther(folder, singleName)
}

// divide cuts the list of tensors into shards; there is at least one.
func divide(tensors []NamedTensor, limit int64) (shards [][]NamedTensor, total int64, err error) {
	begin, bytes := 0, int64(0)
	for i, t := range tensors {
		size, err := t.check()
		if err == nil && total > math.MaxInt64-int64(size) {
			err = errors.New("model too large")
		}
		if err != nil {
			return nil, 0, fmt.Errorf("tensor %.100q: %w", t.Name, err)
		}
		if i > begin && int64(size) > limit-bytes {
			shards, begin, bytes = append(shards, tensors[begin:i]), i, 0
		}
		bytes += int64(size)
		total += int64(size)
	}
	return append(shards, tensors[begin:]), total, nil
}

// writeIndex writes what readIndex reads, in the form of Hugging Face.
func writeIndex(path string, place map[string]string, total int64) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(map[string]any{"metadata": map[string]int64{"total_size": total}, "weight_map": place})
	if err == nil && (text.Len() > maxIndexBytes || len(place) > maxIndexTensors) {
		err = fmt.Errorf("index of %d bytes: want at most %d", text.Len(), maxIndexBytes)
	}
	if err == nil {
		err = replaceFile(path, func(w io.Writer) error {
			_, err := w.Write(text.Bytes())
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	return nil
}

func removeOther(folder, name string) error {
	err := os.Remove(filepath.Join(folder, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("weights: %s: remove the earlier %s: %w", folder, name, withoutPath(err))
	}
	return nil
}
