package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The parts of a tokenizer.json around its model. Each is an object with a type, or a Sequence of such objects.

type byteLevelJSON struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	TrimOffsets    bool   `json:"trim_offsets"`
	UseRegex       bool   `json:"use_regex"`
}

type splitJSON struct {
	Type     string      `json:"type"`
	Pattern  patternJSON `json:"pattern"`
	Behavior string      `json:"behavior"`
	Invert   bool        `json:"invert"`
}

type patternJSON struct {
	Regex string `json:"Regex"`
}

type sequenceJSON struct {
	Type          string            `json:"type"`
	Normalizers   []json.RawMessage `json:"normalizers,omitempty"`
	PreTokenizers []json.RawMessage `json:"pretokenizers,omitempty"`
	Processors    []json.RawMessage `json:"processors,omitempty"`
	Decoders      []json.RawMessage `json:"decoders,omitempty"`
}

type templateJSON struct {
	Type          string                 `json:"type"`
	Single        []pieceJSON            `json:"single"`
	Pair          []pieceJSON            `json:"pair"`
	SpecialTokens map[string]templateIDs `json:"special_tokens"`
}

// pieceJSON is one of the two.
type pieceJSON struct {
	SpecialToken *templatePiece `json:"SpecialToken,omitempty"`
	Sequence     *templatePiece `json:"Sequence,omitempty"`
}

type templatePiece struct {
	ID     string `json:"id"`
	TypeID int    `json:"type_id"`
}

type templateIDs struct {
	ID     string   `json:"id"`
	IDs    []int32  `json:"ids"`
	Tokens []string `json:"tokens"`
}

// readStrictly reads an object into a struct; a key that the struct does not have is an error.
func readStrictly(raw json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// flatten returns the parts of raw in their order: none for null, those of a Sequence, else raw itself; and the type of each.
func flatten(raw json.RawMessage) (parts []json.RawMessage, types []string, err error) {
	if isNull(raw) {
		return nil, nil, nil
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, nil, err
	}
	if head.Type != "Sequence" {
		return []json.RawMessage{raw}, []string{head.Type}, nil
	}
	var sequence sequenceJSON
	if err := readStrictly(raw, &sequence); err != nil {
		return nil, nil, err
	}
	for _, list := range [][]json.RawMessage{sequence.Normalizers, sequence.PreTokenizers, sequence.Processors, sequence.Decoders} {
		for _, part := range list {
			if err := json.Unmarshal(part, &head); err != nil {
				return nil, nil, err
			}
			parts, types = append(parts, part), append(types, head.Type)
		}
	}
	return parts, types, nil
}

// readNormalizer reads null and NFC.
func readNormalizer(def *definition, raw json.RawMessage) error {
	_, types, err := flatten(raw)
	for _, kind := range types {
		if kind != "NFC" {
			return fmt.Errorf("got %.40q, want null or NFC", kind)
		}
		def.nfc = true
	}
	return err
}

// readPreTokenizer reads ByteLevel, with or without its own regex, and Split with a known regex before ByteLevel.
func readPreTokenizer(def *definition, raw json.RawMessage) error {
	parts, types, err := flatten(raw)
	if err != nil {
		return err
	}
	if kinds := strings.Join(types, " "); kinds != "ByteLevel" && kinds != "Split ByteLevel" {
		return fmt.Errorf("got %.60q, want ByteLevel, or Split and ByteLevel", kinds)
	}
	level := byteLevelJSON{UseRegex: true}
	if err := readStrictly(parts[len(parts)-1], &level); err != nil {
		return err
	}
	if len(parts) == 1 {
		def.prefixSpace = level.AddPrefixSpace
		if level.UseRegex {
			def.split = splitGPT2
		}
		return nil
	}
	if level.AddPrefixSpace || level.UseRegex {
		return errors.New("ByteLevel behind Split: want add_prefix_space and use_regex false")
	}
	var split splitJSON
	if err := readStrictly(parts[0], &split); err != nil {
		return err
	}
	// The known patterns match every character, so that to remove what does not match removes nothing.
	if isolated, removed := split.Behavior == "Isolated" && !split.Invert, split.Behavior == "Removed" && split.Invert; !isolated && !removed {
		return fmt.Errorf("Split: got behavior %.40q, invert %v, want \"Isolated\", false", split.Behavior, split.Invert)
	}
	known, ok := splitPatterns[split.Pattern.Regex]
	if !ok {
		return fmt.Errorf("Split: unknown regex %.300q: only those of GPT-2, Qwen2 and Llama 3 have a scanner", split.Pattern.Regex)
	}
	def.split = known
	return nil
}

// readPostProcessor reads null, ByteLevel, which changes no id, and TemplateProcessing.
func readPostProcessor(def *definition, raw json.RawMessage) error {
	parts, types, err := flatten(raw)
	if err != nil {
		return err
	}
	for i, kind := range types {
		switch kind {
		case "ByteLevel":
			if err := readStrictly(parts[i], &byteLevelJSON{}); err != nil {
				return err
			}
		case "TemplateProcessing":
			if err := readTemplate(def, parts[i]); err != nil {
				return err
			}
		default:
			return fmt.Errorf("got %.40q, want null, ByteLevel or TemplateProcessing", kind)
		}
	}
	return nil
}

// readTemplate puts the special tokens of the template for one text around those already there.
func readTemplate(def *definition, raw json.RawMessage) error {
	var template templateJSON
	if err := readStrictly(raw, &template); err != nil {
		return err
	}
	var around [2][]int32
	texts := 0
	for _, piece := range template.Single {
		if piece.Sequence != nil {
			texts++
			continue
		}
		if piece.SpecialToken == nil {
			return errors.New("TemplateProcessing: a piece is neither SpecialToken nor Sequence")
		}
		token, ok := template.SpecialTokens[piece.SpecialToken.ID]
		if !ok {
			return fmt.Errorf("TemplateProcessing: %.60q is not among its special_tokens", piece.SpecialToken.ID)
		}
		around[min(texts, 1)] = append(around[min(texts, 1)], token.IDs...)
	}
	if texts != 1 {
		return fmt.Errorf("TemplateProcessing: the template holds the text %d times, want once", texts)
	}
	def.before = append(around[0], def.before...)
	def.after = append(def.after, around[1]...)
	return nil
}

// readDecoder reads ByteLevel.
func readDecoder(_ *definition, raw json.RawMessage) error {
	parts, types, err := flatten(raw)
	if err != nil {
		return err
	}
	if len(types) != 1 || types[0] != "ByteLevel" {
		return fmt.Errorf("got %.60q, want ByteLevel", strings.Join(types, " "))
	}
	return readStrictly(parts[0], &byteLevelJSON{})
}

// splitMerges cuts merges of the form "a b".
func splitMerges(lines []string, skipVersion bool) ([][2]string, error) {
	pairs := make([][2]string, 0, len(lines))
	for i, line := range lines {
		if skipVersion && strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merges: merge %d is %.60q, want two tokens and a space between them", i, line)
		}
		pairs = append(pairs, [2]string{left, right})
	}
	return pairs, nil
}

// mergeIDs looks the tokens of merges up.
func mergeIDs(pairs [][2]string, id func(key string) (int32, bool)) ([][2]int32, error) {
	merges := make([][2]int32, len(pairs))
	for i, pair := range pairs {
		for side, key := range pair {
			token, ok := id(key)
			if !ok {
				return nil, fmt.Errorf("merge %d: %.60q is not in the vocabulary", i, key)
			}
			merges[i][side] = token
		}
	}
	return merges, nil
}
