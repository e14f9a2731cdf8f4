package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// MarshalJSON writes the vocabulary in the order of its ids.
func (v vocabularyJSON) MarshalJSON() ([]byte, error) {
	keys, err := v.keys()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: vocabulary: %w", err)
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for id, key := range keys {
		if id > 0 {
			out.WriteByte(',')
		}
		text, err := json.Marshal(key)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: vocabulary: %w", err)
		}
		fmt.Fprintf(&out, "%s:%d", text, id)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// MarshalJSON returns the tokenizer as a tokenizer.json, indented, which Parse and Hugging Face's tokenizers read and which
// gives the same ids.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	file := tokenizerJSON{
		Version:     "1.0",
		AddedTokens: make([]addedJSON, len(t.def.added)),
		Model: modelJSON{
			Type: "BPE", IgnoreMerges: t.def.ignoreMerges,
			Vocabulary: make(vocabularyJSON, len(t.def.keys)), Merges: make(mergesJSON, len(t.def.merges)),
		},
	}
	for id, key := range t.def.keys {
		file.Model.Vocabulary[key] = int32(id)
	}
	for i, pair := range t.def.merges {
		file.Model.Merges[i] = [2]string{t.def.keys[pair[0]], t.def.keys[pair[1]]}
	}
	for i, a := range t.def.added {
		file.AddedTokens[i] = addedJSON{a.id, a.Text, a.SingleWord, a.LStrip, a.RStrip, a.Normalized, a.Special}
	}
	level := byteLevelJSON{Type: "ByteLevel", TrimOffsets: true, AddPrefixSpace: t.def.prefixSpace, UseRegex: t.def.split == splitGPT2}
	decoder := byteLevelJSON{Type: "ByteLevel", TrimOffsets: true}
	for _, part := range []struct {
		to   *json.RawMessage
		from any
	}{
		{&file.Normalizer, t.normalizerJSON()},
		{&file.PreTokenizer, t.preTokenizerJSON(level)},
		{&file.PostProcessor, t.templateJSON()},
		{&file.Decoder, decoder},
	} {
		raw, err := encodeJSON(part.from, "")
		if err != nil {
			return nil, err
		}
		*part.to = raw
	}
	return encodeJSON(file, "  ")
}

// encodeJSON writes a value without escapes for HTML.
func encodeJSON(value any, indent string) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return out.Bytes(), nil
}

func (t *Tokenizer) normalizerJSON() any {
	if !t.def.nfc {
		return nil
	}
	return map[string]string{"type": "NFC"}
}

func (t *Tokenizer) preTokenizerJSON(level byteLevelJSON) any {
	if t.def.split == splitNone || t.def.split == splitGPT2 {
		return level
	}
	split := splitJSON{Type: "Split", Pattern: patternJSON{t.def.split.pattern()}, Behavior: "Isolated"}
	return map[string]any{"type": "Sequence", "pretokenizers": []any{split, level}}
}

// templateJSON wants the affixes around a text, and around each of two.
func (t *Tokenizer) templateJSON() any {
	if len(t.def.before)+len(t.def.after) == 0 {
		return nil
	}
	template := templateJSON{Type: "TemplateProcessing", SpecialTokens: map[string]templateIDs{}}
	special := func(ids []int32, kind int) (pieces []pieceJSON) {
		for _, id := range ids {
			key := t.keyOf(id)
			template.SpecialTokens[key] = templateIDs{key, []int32{id}, []string{key}}
			pieces = append(pieces, pieceJSON{SpecialToken: &templatePiece{key, kind}})
		}
		return pieces
	}
	for kind, name := range []string{"A", "B"} {
		pieces := special(t.def.before, kind)
		pieces = append(pieces, pieceJSON{Sequence: &templatePiece{name, kind}})
		pieces = append(pieces, special(t.def.after, kind)...)
		template.Pair = append(template.Pair, pieces...)
		if kind == 0 {
			template.Single = pieces
		}
	}
	return template
}

// keyOf returns the name of a token in a tokenizer.json.
func (t *Tokenizer) keyOf(id int32) string {
	for _, a := range t.def.added {
		if a.id == id {
			return a.Text
		}
	}
	return t.def.keys[id]
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
