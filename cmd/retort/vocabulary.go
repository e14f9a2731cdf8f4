package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

// The keys of a GGUF file's metadata that say how its text becomes ids.
const (
	keyModel       = "tokenizer.ggml.model"
	keyPre         = "tokenizer.ggml.pre"
	keyTokens      = "tokenizer.ggml.tokens"
	keyTypes       = "tokenizer.ggml.token_type"
	keyMerges      = "tokenizer.ggml.merges"
	keyBOS         = "tokenizer.ggml.bos_token_id"
	keyEOS         = "tokenizer.ggml.eos_token_id"
	keyEOT         = "tokenizer.ggml.eot_token_id"
	keyPadding     = "tokenizer.ggml.padding_token_id"
	keyAddBOS      = "tokenizer.ggml.add_bos_token"
	keyAddEOS      = "tokenizer.ggml.add_eos_token"
	keySpacePrefix = "tokenizer.ggml.add_space_prefix"
	keyTemplate    = "tokenizer.chat_template"
)

// noVocabulary is llama.cpp's name of the tokenizer of a model that has none.
const noVocabulary = "none"

// unusedToken is llama.cpp's type of a token that no text has.
const unusedToken = 5

// openGGUFTokenizer reads the tokenizer of a GGUF file.
func openGGUFTokenizer(path string) (*tokenizer.Tokenizer, error) {
	f, err := openWeights(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := tokenizerOf(f.Metadata())
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return t, err
}

// openVocabulary opens a tokenizer by its name, its tokenizer.json, a GGUF file, or a folder that holds one of the two.
func openVocabulary(name string) (*tokenizer.Tokenizer, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		folder := name
		name = filepath.Join(folder, tokenizerFile)
		if models, err := filepath.Glob(filepath.Join(folder, "*.gguf")); err == nil && len(models) == 1 && !isFile(name) {
			name = models[0]
		}
	}
	return openTokenizer(name)
}

// tokenizerOf makes the tokenizer that a GGUF file's metadata describe.
func tokenizerOf(m weights.Metadata) (*tokenizer.Tokenizer, error) {
	var v tokenizer.GGUFVocabulary
	var faults [6]error
	v.Model, faults[0] = m.String(keyModel)
	v.Tokens, faults[1] = m.Strings(keyTokens)
	if m.Has(keyPre) {
		v.Pre, faults[2] = m.String(keyPre)
	}
	if m.Has(keyMerges) {
		v.Merges, faults[3] = m.Strings(keyMerges)
	}
	if m.Has(keyTypes) {
		var types []int
		types, faults[4] = m.Ints(keyTypes)
		for _, t := range types {
			v.Types = append(v.Types, int32(t))
		}
	}
	if m.Has(keySpacePrefix) {
		v.AddSpacePrefix, faults[5] = m.Bool(keySpacePrefix)
	}
	if err := errors.Join(faults[:]...); err != nil {
		return nil, err
	}
	for key, to := range map[string]**int32{keyBOS: &v.BOS, keyEOS: &v.EOS, keyEOT: &v.EOT, keyPadding: &v.Padding} {
		if !m.Has(key) {
			continue
		}
		id, err := m.Uint(key)
		if err != nil {
			return nil, err
		}
		if id >= len(v.Tokens) {
			return nil, fmt.Errorf("%s: id %d, want one below %d, the number of tokens", key, id, len(v.Tokens))
		}
		short := int32(id)
		*to = &short
	}
	for key, to := range map[string]**bool{keyAddBOS: &v.AddBOS, keyAddEOS: &v.AddEOS} {
		if !m.Has(key) {
			continue
		}
		value, err := m.Bool(key)
		if err != nil {
			return nil, err
		}
		*to = &value
	}
	return tokenizer.FromGGUF(v)
}

// vocabularyMetadata describes a tokenizer in a GGUF file's metadata. The tokens are filled up to
// size, the rows of the model's embedding, with tokens that no text has.
func vocabularyMetadata(t *tokenizer.Tokenizer, size int) (weights.Metadata, error) {
	v, err := t.GGUF()
	if err != nil {
		return nil, err
	}
	if len(v.Tokens) > size {
		return nil, fmt.Errorf("the tokenizer has %d tokens, the model knows %d", len(v.Tokens), size)
	}
	for len(v.Types) < len(v.Tokens) {
		v.Types = append(v.Types, 1)
	}
	for id := len(v.Tokens); id < size; id++ {
		v.Tokens = append(v.Tokens, fmt.Sprintf("[PAD%d]", id))
		v.Types = append(v.Types, unusedToken)
	}
	var m weights.Metadata
	m.Set(keyModel, v.Model)
	m.Set(keyPre, v.Pre)
	m.Set(keyTokens, v.Tokens)
	m.Set(keyTypes, v.Types)
	m.Set(keyMerges, v.Merges)
	for _, pair := range []struct {
		key string
		id  *int32
	}{{keyBOS, v.BOS}, {keyEOS, v.EOS}, {keyEOT, v.EOT}, {keyPadding, v.Padding}} {
		if pair.id != nil {
			m.Set(pair.key, uint32(*pair.id))
		}
	}
	for _, pair := range []struct {
		key   string
		value *bool
	}{{keyAddBOS, v.AddBOS}, {keyAddEOS, v.AddEOS}} {
		if pair.value != nil {
			m.Set(pair.key, *pair.value)
		}
	}
	return m, nil
}

// openChat returns what a model's files say about its conversations; nil if they say nothing.
func openChat(path string, t *tokenizer.Tokenizer) (*chat.Config, error) {
	if !isGGUFFile(path) {
		return chatOfFolder(folderOf(path))
	}
	f, err := openWeights(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return chatOf(f.Metadata(), t)
}

// chatOfFiles is openChat for opened files.
func chatOfFiles(files *model.Files, t *tokenizer.Tokenizer) (*chat.Config, error) {
	if files.Weights.Container() == weights.GGUF {
		return chatOf(files.Weights.Metadata(), t)
	}
	return chatOfFolder(files.Dir)
}

// chatOfFolder reads the files beside the weights; nil if there are none.
func chatOfFolder(dir string) (*chat.Config, error) {
	if !isFile(filepath.Join(dir, "tokenizer_config.json")) && !isFile(filepath.Join(dir, "chat_template.jinja")) {
		return nil, nil
	}
	words, err := chat.Open(dir)
	return words, templateFault(err)
}

// chatOf returns what a GGUF file's metadata say about conversations; nil if they say nothing.
func chatOf(m weights.Metadata, t *tokenizer.Tokenizer) (*chat.Config, error) {
	if !m.Has(keyTemplate) {
		return nil, nil
	}
	source, err := m.String(keyTemplate)
	if err != nil {
		return nil, err
	}
	text := func(key string) string {
		id, err := m.Uint(key)
		if err != nil || t == nil {
			return ""
		}
		text, _ := t.Token(int32(min(id, 1<<30)))
		return text
	}
	var addBOS *bool
	if value, err := m.Bool(keyAddBOS); err == nil {
		addBOS = &value
	}
	return chat.GGUFConfig(source, text(keyBOS), text(keyEOS), addBOS)
}

// tokenizerBeside returns the tokenizer of a model's files; nil if they have none.
func tokenizerBeside(f *weights.File, dir string) (*tokenizer.Tokenizer, error) {
	if f.Container() == weights.GGUF {
		if name, err := f.Metadata().String(keyModel); !f.Metadata().Has(keyModel) || err == nil && name == noVocabulary {
			return nil, nil
		}
		return tokenizerOf(f.Metadata())
	}
	t, err := tokenizer.Open(filepath.Join(dir, tokenizerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return t, err
}

// folderOf is a folder, or that of a file.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path
	}
	return filepath.Dir(path)
}
