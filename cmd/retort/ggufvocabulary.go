package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

// openVocabulary opens a tokenizer by its name, its tokenizer.json, a GGUF, or a folder that holds one of the two.
func openVocabulary(name string) (*tokenizer.Tokenizer, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		folder := name
		name = filepath.Join(folder, tokenizerFile)
		if _, err := os.Stat(name); err != nil {
			if models, _ := filepath.Glob(filepath.Join(folder, "*.gguf")); len(models) > 0 {
				name = models[0]
			}
		}
	}
	if !strings.EqualFold(filepath.Ext(name), ".gguf") {
		return openTokenizer(name)
	}
	file, err := weights.Open(name)
	if err != nil {
		return nil, err
	}
	v, err := ggufVocabulary(file.Metadata())
	if err == nil {
		var t *tokenizer.Tokenizer
		if t, err = tokenizer.FromGGUF(v); err == nil {
			return t, file.Close()
		}
	}
	_ = file.Close() // the first error is the one to tell
	return nil, fmt.Errorf("%s: %w", name, err)
}

// ggufVocabulary takes the tokenizer out of a GGUF's metadata; the texts are copied out of the mapped file.
func ggufVocabulary(m weights.Metadata) (v tokenizer.GGUFVocabulary, err error) {
	const prefix = "tokenizer.ggml."
	if v.Model, err = m.String(prefix + "model"); err != nil {
		return v, err
	}
	if v.Pre, err = m.String(prefix + "pre"); err != nil {
		return v, err
	}
	for _, list := range []struct {
		key string
		to  *[]string
	}{{"tokens", &v.Tokens}, {"merges", &v.Merges}} {
		texts, err := m.Strings(prefix + list.key)
		if err != nil {
			return v, err
		}
		for _, text := range texts {
			*list.to = append(*list.to, strings.Clone(text))
		}
	}
	if m.Has(prefix + "token_type") {
		types, err := m.Ints(prefix + "token_type")
		if err != nil {
			return v, err
		}
		for _, kind := range types {
			if kind < 0 || kind > math.MaxInt32 {
				return v, fmt.Errorf("%stoken_type: got %d, want a type of token", prefix, kind)
			}
			v.Types = append(v.Types, int32(kind))
		}
	}
	return v, ggufSpecials(m, prefix, &v)
}

// ggufSpecials reads the ids of special tokens, and whether they go around a text.
func ggufSpecials(m weights.Metadata, prefix string, v *tokenizer.GGUFVocabulary) error {
	for key, to := range map[string]**int32{
		"bos_token_id": &v.BOS, "eos_token_id": &v.EOS, "eot_token_id": &v.EOT, "padding_token_id": &v.Padding,
	} {
		if !m.Has(prefix + key) {
			continue
		}
		id, err := m.Uint(prefix + key)
		if err != nil {
			return err
		}
		if id > math.MaxInt32 {
			return fmt.Errorf("%s%s: got %d, want a token id", prefix, key, id)
		}
		narrow := int32(id)
		*to = &narrow
	}
	for key, to := range map[string]**bool{"add_bos_token": &v.AddBOS, "add_eos_token": &v.AddEOS} {
		if !m.Has(prefix + key) {
			continue
		}
		add, err := m.Bool(prefix + key)
		if err != nil {
			return err
		}
		*to = &add
	}
	if m.Has(prefix + "add_space_prefix") {
		add, err := m.Bool(prefix + "add_space_prefix")
		if err != nil {
			return err
		}
		v.AddSpacePrefix = add
	}
	return nil
}
