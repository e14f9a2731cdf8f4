package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxFileBytes bounds a tokenizer.json; the largest in use have some 35 MB.
const maxFileBytes = 64 << 20 // 64 MiB

// tokenizerJSON is Hugging Face's tokenizer.json.
type tokenizerJSON struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedJSON     `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         modelJSON       `json:"model"`
}

type addedJSON struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type modelJSON struct {
	Type                    string         `json:"type"`
	Dropout                 *float64       `json:"dropout"`
	UnknownToken            *string        `json:"unk_token"`
	ContinuingSubwordPrefix *string        `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string        `json:"end_of_word_suffix"`
	FuseUnknown             bool           `json:"fuse_unk"`
	ByteFallback            bool           `json:"byte_fallback"`
	IgnoreMerges            bool           `json:"ignore_merges"`
	Vocabulary              vocabularyJSON `json:"vocab"`
	Merges                  mergesJSON     `json:"merges"`
}

// vocabularyJSON is the object of the model's tokens and their ids.
type vocabularyJSON map[string]int32

// keys returns the tokens in the order of their ids, which are 0 to len(v)-1.
func (v vocabularyJSON) keys() ([]string, error) {
	if len(v) > maxTokens {
		return nil, fmt.Errorf("%d tokens, want at most %d", len(v), maxTokens)
	}
	keys := make([]string, len(v))
	taken := make([]bool, len(v))
	for key, id := range v {
		if id < 0 || int(id) >= len(v) || taken[id] {
			return nil, fmt.Errorf("token %.60q: id %d, want each of 0 to %d once", key, id, len(v)-1)
		}
		keys[id], taken[id] = key, true
	}
	return keys, nil
}

// mergesJSON are the merges, of which there are two forms in files: "a b" and ["a", "b"].
type mergesJSON [][2]string

// UnmarshalJSON reads either form.
func (m *mergesJSON) UnmarshalJSON(data []byte) error {
	*m = mergesJSON{}
	list := bytes.TrimLeft(bytes.TrimPrefix(data, []byte{'['}), " \t\r\n")
	if bytes.HasPrefix(list, []byte{'"'}) {
		return m.readLines(data)
	}
	var pairs [][]string
	if err := json.Unmarshal(data, &pairs); err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	for i, pair := range pairs {
		if len(pair) != 2 {
			return fmt.Errorf("merges: merge %d has %d tokens, want 2", i, len(pair))
		}
		*m = append(*m, [2]string{pair[0], pair[1]})
	}
	return nil
}

// readLines reads the form "a b". As in a merges.txt, a text that begins with #version is no merge.
func (m *mergesJSON) readLines(data []byte) error {
	var lines []string
	if err := json.Unmarshal(data, &lines); err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	pairs, err := splitMerges(lines, true)
	*m = pairs
	return err
}

// Open reads a tokenizer.json from path.
func Open(path string) (*Tokenizer, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("tokenizer: %s: more than %d bytes", path, maxFileBytes)
	}
	return Parse(data)
}

// Parse reads a tokenizer.json of byte-level BPE. It refuses every setting that would give other ids and that it does not know.
func Parse(data []byte) (*Tokenizer, error) {
	var file tokenizerJSON
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("tokenizer: tokenizer.json: more text after the end of the object")
	}
	def, err := file.definition()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	t, err := build(def)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	return t, nil
}

// definition checks every part of the file.
func (f *tokenizerJSON) definition() (def definition, err error) {
	switch {
	case f.Version != "1.0":
		return def, fmt.Errorf("version: got %.40q, want \"1.0\"", f.Version)
	case !isNull(f.Truncation):
		return def, fmt.Errorf("truncation: got %.40s, want null", f.Truncation)
	case !isNull(f.Padding):
		return def, fmt.Errorf("padding: got %.40s, want null", f.Padding)
	}
	if err := f.Model.check(); err != nil {
		return def, err
	}
	for _, part := range []struct {
		name string
		raw  json.RawMessage
		read func(*definition, json.RawMessage) error
	}{
		{"normalizer", f.Normalizer, readNormalizer},
		{"pre_tokenizer", f.PreTokenizer, readPreTokenizer},
		{"post_processor", f.PostProcessor, readPostProcessor},
		{"decoder", f.Decoder, readDecoder},
	} {
		if err := part.read(&def, part.raw); err != nil {
			return def, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	def.ignoreMerges = f.Model.IgnoreMerges
	for _, a := range f.AddedTokens {
		def.added = append(def.added, addedToken{Added{
			Text: a.Content, Special: a.Special, SingleWord: a.SingleWord,
			LStrip: a.LStrip, RStrip: a.RStrip, Normalized: a.Normalized,
		}, a.ID})
	}
	if def.keys, err = f.Model.Vocabulary.keys(); err != nil {
		return def, fmt.Errorf("model.vocab: %w", err)
	}
	if def.merges, err = mergeIDs(f.Model.Merges, func(key string) (int32, bool) {
		id, ok := f.Model.Vocabulary[key]
		return id, ok
	}); err != nil {
		return def, fmt.Errorf("model.merges: %w", err)
	}
	return def, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// check refuses what is not byte-level BPE. The unknown token does not matter, because every byte must have a token.
func (m *modelJSON) check() error {
	switch {
	case m.Type != "BPE":
		return fmt.Errorf("model.type: got %.40q, want \"BPE\"", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model.dropout: got %g, want null", *m.Dropout)
	case m.ByteFallback:
		return errors.New("model.byte_fallback: got true, want false: bytes as <0x00> tokens are not byte-level BPE")
	case nonEmpty(m.ContinuingSubwordPrefix):
		return fmt.Errorf("model.continuing_subword_prefix: got %.40q, want null", *m.ContinuingSubwordPrefix)
	case nonEmpty(m.EndOfWordSuffix):
		return fmt.Errorf("model.end_of_word_suffix: got %.40q, want null", *m.EndOfWordSuffix)
	}
	return nil
}

func nonEmpty(s *string) bool { return s != nil && *s != "" }
