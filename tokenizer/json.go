package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unicode/utf8"
)

// maxFileBytes bounds a tokenizer.json; the largest in use have some 35 MB.
const maxFileBytes = 256 << 20 // 256 MiB

// tokenizerJSON is Hugging Face's tokenizer.json as far as a byte-level vocabulary without merges needs it.
type tokenizerJSON struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedJSON     `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  *byteLevelJSON  `json:"pre_tokenizer"`
	PostProcessor *byteLevelJSON  `json:"post_processor"`
	Decoder       *byteLevelJSON  `json:"decoder"`
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

type byteLevelJSON struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	TrimOffsets    bool   `json:"trim_offsets"`
	UseRegex       bool   `json:"use_regex"`
}

type modelJSON struct {
	Type                    string            `json:"type"`
	Dropout                 *float64          `json:"dropout"`
	UnknownToken            *string           `json:"unk_token"`
	ContinuingSubwordPrefix *string           `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string           `json:"end_of_word_suffix"`
	FuseUnknown             bool              `json:"fuse_unk"`
	ByteFallback            bool              `json:"byte_fallback"`
	IgnoreMerges            bool              `json:"ignore_merges"`
	Vocabulary              vocabularyJSON    `json:"vocab"`
	Merges                  []json.RawMessage `json:"merges"`
}

// vocabularyJSON is the object of the byte tokens' names and ids, written in the order of the ids.
type vocabularyJSON map[string]int32

// MarshalJSON writes the vocabulary in the order of its ids.
func (v vocabularyJSON) MarshalJSON() ([]byte, error) {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return int(v[a]) - int(v[b]) })
	out := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		out = fmt.Appendf(out, "%s:%d", key, v[name])
	}
	return append(out, '}'), nil
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

// Parse reads a tokenizer.json of a byte-level vocabulary without merges. It refuses every setting that would give other ids.
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
	if err := file.check(); err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	byteIDs, err := file.Model.Vocabulary.byteIDs()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: model.vocab: %w", err)
	}
	added, err := addedTokens(file.AddedTokens)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: added_tokens: %w", err)
	}
	return build(byteIDs, added)
}

// check refuses what is not a byte-level vocabulary without merges.
func (f *tokenizerJSON) check() error {
	isNull := func(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
	model := &f.Model
	switch {
	case f.Version != "1.0":
		return fmt.Errorf("version: got %q, want \"1.0\"", f.Version)
	case !isNull(f.Truncation):
		return fmt.Errorf("truncation: got %.40s, want null", f.Truncation)
	case !isNull(f.Padding):
		return fmt.Errorf("padding: got %.40s, want null", f.Padding)
	case !isNull(f.Normalizer):
		return fmt.Errorf("normalizer: got %.40s, want null", f.Normalizer)
	case f.PreTokenizer == nil || f.PreTokenizer.Type != "ByteLevel" || f.PreTokenizer.AddPrefixSpace:
		return errors.New("pre_tokenizer: want ByteLevel without add_prefix_space")
	case f.PostProcessor != nil && f.PostProcessor.Type != "ByteLevel":
		return fmt.Errorf("post_processor: got %q, want null or ByteLevel", f.PostProcessor.Type)
	case f.Decoder == nil || f.Decoder.Type != "ByteLevel":
		return errors.New("decoder: want ByteLevel")
	case model.Type != "BPE":
		return fmt.Errorf("model.type: got %q, want \"BPE\"", model.Type)
	case len(model.Merges) > 0:
		return fmt.Errorf("model.merges: got %d, want none: only byte-level vocabularies without merges can be read", len(model.Merges))
	case model.Dropout != nil && *model.Dropout != 0:
		return fmt.Errorf("model.dropout: got %g, want null", *model.Dropout)
	case nonEmpty(model.ContinuingSubwordPrefix):
		return fmt.Errorf("model.continuing_subword_prefix: got %q, want null", *model.ContinuingSubwordPrefix)
	case nonEmpty(model.EndOfWordSuffix):
		return fmt.Errorf("model.end_of_word_suffix: got %q, want null", *model.EndOfWordSuffix)
	}
	return nil
}

func nonEmpty(s *string) bool { return s != nil && *s != "" }

// byteIDs returns the id of each byte.
func (v vocabularyJSON) byteIDs() (ids [256]int32, err error) {
	if len(v) != 256 {
		return ids, fmt.Errorf("got %d tokens, want the 256 bytes", len(v))
	}
	var taken [256]bool
	for name, id := range v {
		r, length := utf8.DecodeRuneInString(name)
		b, ok := byteOfName(r)
		if !ok || length != len(name) {
			return ids, fmt.Errorf("token %q: not the name of a byte", name)
		}
		if id < 0 || id > 255 || taken[id] {
			return ids, fmt.Errorf("token %q: id %d, want each of 0 to 255 once", name, id)
		}
		ids[b], taken[id] = id, true
	}
	return ids, nil
}

// addedTokens returns the added tokens in the order of their ids, which must follow those of the bytes.
func addedTokens(tokens []addedJSON) ([]Added, error) {
	tokens = slices.Clone(tokens)
	slices.SortStableFunc(tokens, func(a, b addedJSON) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
	added := make([]Added, len(tokens))
	for i, token := range tokens {
		if token.ID != int32(256+i) {
			return nil, fmt.Errorf("%q: id %d, want %d", token.Content, token.ID, 256+i)
		}
		if token.SingleWord || token.LStrip || token.RStrip || token.Normalized {
			return nil, fmt.Errorf("%q: want single_word, lstrip, rstrip and normalized false", token.Content)
		}
		added[i] = Added{Text: token.Content, Special: token.Special}
	}
	return added, nil
}

// MarshalJSON returns the tokenizer as a tokenizer.json, indented, which Parse and Hugging Face's tokenizers read.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	byteLevel := &byteLevelJSON{Type: "ByteLevel", TrimOffsets: true}
	file := tokenizerJSON{
		Version:      "1.0",
		PreTokenizer: byteLevel,
		Decoder:      byteLevel,
		Model:        modelJSON{Type: "BPE", Vocabulary: vocabularyJSON{}, Merges: []json.RawMessage{}},
		AddedTokens:  make([]addedJSON, len(t.order)),
	}
	for b, id := range t.byteIDs {
		file.Model.Vocabulary[string(nameOfByte(byte(b)))] = id
	}
	for i, a := range t.order {
		file.AddedTokens[i] = addedJSON{ID: int32(256 + i), Content: a.Text, Special: a.Special}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(file); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return out.Bytes(), nil
}

// Save writes the tokenizer.json to path.
func (t *Tokenizer) Save(path string) error {
	data, err := t.MarshalJSON()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		return fmt.Errorf("tokenizer: %w", err)
	}
	return nil
}
