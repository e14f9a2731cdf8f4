package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/tokenizer"
)

// tokenizeCommand turns text into ids, and back.
type tokenizeCommand struct {
	Text        []string `arg:"" optional:"" name:"text" help:"The text, or with --decode the ids; default: standard input."`
	Vocab       string   `name:"vocab" complete:"tokenizer" required:"" placeholder:"FILE" help:"A tokenizer.json, a GGUF, the folder of one, lab or bytes."`
	JSONL       bool     `name:"jsonl" help:"Read one JSON object per line, {\"text\"} or with --decode {\"ids\"}, and print one for each."`
	Decode      bool     `name:"decode" help:"Turn ids into text."`
	AddSpecial  bool     `name:"add-special" help:"Put the special tokens around the text that the model's file asks for."`
	SkipSpecial bool     `name:"skip-special" help:"With --decode: special tokens give no text."`
}

// Run reads, converts and prints.
func (c *tokenizeCommand) Run(ctx context.Context, out *output) error {
	if c.JSONL && len(c.Text) > 0 {
		return usage(errors.New("--jsonl reads standard input, so that no text can be given"), "")
	}
	t, err := openVocabulary(c.Vocab)
	if err != nil {
		return err
	}
	if c.JSONL {
		var ids []int32
		return eachLine(ctx, "tokenize", out.std, func(dst, line []byte) ([]byte, error) {
			var err error
			dst, ids, err = c.convert(dst, ids[:0], t, line)
			return dst, err
		})
	}
	text := strings.Join(c.Text, " ")
	if len(c.Text) == 0 {
		all, err := io.ReadAll(out.std.in)
		if err != nil {
			return fmt.Errorf("tokenize: %w", err)
		}
		text = string(all)
	}
	if c.Decode {
		ids, err := readIDs(text)
		if err != nil {
			return err
		}
		decoded := t.DecodeText(ids, tokenizer.DecodeOptions{SkipSpecial: c.SkipSpecial})
		out.result("%s", decoded)
		return out.event("text", textLine{&decoded})
	}
	ids := c.appendIDs(nil, t, text)
	line := appendIDLine(nil, ids)
	out.result("%s", line[len(`{"ids":[`):len(line)-len("]}\n")])
	return out.event("ids", idsLine{ids})
}

type textLine struct {
	Text *string `json:"text"`
}

type idsLine struct {
	IDs []int32 `json:"ids"`
}

// appendIDs appends the ids of a text, with the affixes if they are wanted.
func (c *tokenizeCommand) appendIDs(dst []int32, t *tokenizer.Tokenizer, text string) []int32 {
	var before, after []int32
	if c.AddSpecial {
		before, after = t.Affixes()
	}
	return append(t.AppendEncode(append(dst, before...), text), after...)
}

// readIDs reads ids divided by spaces or commas.
func readIDs(text string) ([]int32, error) {
	ids := []int32{}
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' }) {
		id, err := strconv.ParseInt(field, 10, 32)
		if err != nil {
			return nil, usage(explain.Errorf("bad-value", "tokenize: %.40q is no token id", field), "")
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// convert appends the answer to one line; ids is room for the ids of a text.
func (c *tokenizeCommand) convert(dst []byte, ids []int32, t *tokenizer.Tokenizer, line []byte) ([]byte, []int32, error) {
	if !c.Decode {
		var in textLine
		if err := json.Unmarshal(line, &in); err != nil {
			return nil, nil, err
		}
		if in.Text == nil {
			return nil, nil, errors.New(`no "text"`)
		}
		ids = c.appendIDs(ids, t, *in.Text)
		return appendIDLine(dst, ids), ids, nil
	}
	var in idsLine
	if err := json.Unmarshal(line, &in); err != nil {
		return nil, nil, err
	}
	if in.IDs == nil {
		return nil, nil, errors.New(`no "ids"`)
	}
	text := t.DecodeText(in.IDs, tokenizer.DecodeOptions{SkipSpecial: c.SkipSpecial})
	encoded, err := json.Marshal(textLine{&text})
	return append(append(dst, encoded...), '\n'), ids, err
}

// appendIDLine appends {"ids":[...]} and a line end.
func appendIDLine(dst []byte, ids []int32) []byte {
	dst = append(slices.Grow(dst, 8*len(ids)+16), `{"ids":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(id), 10)
	}
	return append(dst, "]}\n"...)
}
