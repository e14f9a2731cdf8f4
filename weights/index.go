package weights

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// The limits are twice the index of the largest published model (91,000
// tensors).
const (
	maxIndexBytes   = 16 << 20 // 16 MiB
	maxIndexTensors = 200_000
)

// readIndex reads model.safetensors.index.json: tensor name to shard file name.
//
//	{"metadata": {"total_size": 24}, "weight_map": {"w": "model-00001-of-00002.safetensors"}}
func readIndex(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxIndexBytes {
		return nil, fmt.Errorf("index: want a regular file of at most %d bytes", maxIndexBytes)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxIndexBytes))
	if err != nil {
		return nil, withoutPath(err)
	}
	place, err := parseIndex(text)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return place, nil
}

func parseIndex(text []byte) (map[string]string, error) {
	s := scanner{text: text}
	var place map[string]string
	err := s.object(func(key []byte) error {
		if string(key) != "weight_map" {
			return s.skip(0)
		}
		if place != nil {
			return errors.New("weight_map: appears twice")
		}
		var err error
		place, err = s.texts(maxIndexTensors)
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && place == nil {
		err = errors.New("weight_map: missing")
	}
	if err != nil {
		return nil, err
	}
	for name, shardName := range place {
		// A shard lies beside its index, so a name cannot lead elsewhere.
		if shardName == "" || len(shardName) > maxKeyBytes || strings.ContainsAny(shardName, "/\\:\x00") || strings.Trim(shardName, ".") == "" {
			return nil, fmt.Errorf("tensor %q: shard %.100q is not a file name", name, shardName)
		}
	}
	return place, nil
}
