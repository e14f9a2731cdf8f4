package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Ollama's store (github.com/ollama/ollama, docs and manifest/):
//
//	manifests/HOST/SPACE/NAME/TAG   JSON that lists layers by digest
//	blobs/sha256-HASH               a layer
const (
	ollamaHost      = "registry.ollama.ai"
	ollamaSpace     = "library"
	ollamaModel     = "application/vnd.ollama.image.model"
	ollamaAdapter   = "application/vnd.ollama.image.adapter"
	ollamaProjector = "application/vnd.ollama.image.projector"
	maxManifest     = 1 << 20
)

// ollamaManifest is the part of a manifest that names the weights.
type ollamaManifest struct {
	Layers []struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int64  `json:"size"`
	} `json:"layers"`
}

// manifestPath is where the manifest of [HOST/][SPACE/]NAME:TAG lies below manifests.
func manifestPath(name string) string {
	path, tag, _ := strings.Cut(name, ":")
	parts := strings.Split(path, "/")
	switch len(parts) {
	case 1:
		parts = append([]string{ollamaHost, ollamaSpace}, parts...)
	case 2:
		parts = append([]string{ollamaHost}, parts...)
	}
	return filepath.Join(append(parts, tag)...)
}

// ollamaName is the short name of a manifest's path.
func ollamaName(path string) string {
	path = filepath.ToSlash(path)
	i := strings.LastIndexByte(path, '/')
	name := path[:max(i, 0)] + ":" + path[i+1:]
	name = strings.TrimPrefix(name, ollamaHost+"/")
	return strings.TrimPrefix(name, ollamaSpace+"/")
}

// inOllama returns a model of Ollama's store; nil if there is none of that name.
func (o *Options) inOllama(r Reference) (*Local, error) {
	if o.OllamaDir == "" {
		return nil, nil
	}
	data, err := readSmall(filepath.Join(o.OllamaDir, "manifests", manifestPath(r.Ollama)), maxManifest)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	local, err := o.readManifest(data)
	if err != nil {
		return nil, fmt.Errorf("hub: ollama: %s: %w", r.Ollama, err)
	}
	local.Reference = r
	return local, nil
}

func (o *Options) readManifest(data []byte) (*Local, error) {
	var m ollamaManifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	local := &Local{Store: Ollama}
	for _, layer := range m.Layers {
		switch layer.MediaType {
		case ollamaAdapter, ollamaProjector:
			return nil, fmt.Errorf("it has a layer of type %s, which is not read", layer.MediaType)
		case ollamaModel:
		default:
			continue
		}
		hash, ok := strings.CutPrefix(layer.Digest, "sha256:")
		if !ok || !isHex(hash, 64) || local.Path != "" {
			return nil, fmt.Errorf("manifest: want one layer of weights with a sha256, got %.100q", layer.Digest)
		}
		local.Path = filepath.Join(o.OllamaDir, "blobs", "sha256-"+strings.ToLower(hash))
		local.Bytes = layer.Size
	}
	if local.Path == "" {
		return nil, errors.New("manifest: no layer of weights")
	}
	info, err := os.Stat(local.Path)
	if err != nil {
		return nil, fmt.Errorf("its weights are not there: %w", err)
	}
	if info.Size() != local.Bytes {
		return nil, fmt.Errorf("its weights have %d bytes, want %d", info.Size(), local.Bytes)
	}
	return local, nil
}

// ollamaNames lists the names in Ollama's store.
func (o *Options) ollamaNames() (names []string, err error) {
	if o.OllamaDir == "" {
		return nil, nil
	}
	top := filepath.Join(o.OllamaDir, "manifests")
	err = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		relative, err := filepath.Rel(top, path)
		if name := ollamaName(relative); err == nil && ollamaPattern.MatchString(name) && len(names) < maxCacheFiles {
			names = append(names, name)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return names, err
}
