package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/retort-ml/retort/tokenizer"
)

// tokenizeCommand turns text into ids, and back.
type tokenizeCommand struct {
	Text        []string `arg:"" optional:"" name:"text" help:"The text, or with --decode the ids; default: standard input."`
	Vocab       string   `name:"vocab" required:"" placeholder:"FILE" help:"A tokenizer.json, a GGUF, the folder of one, lab or bytes."`
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
		return c.lines(ctx, t, out.std)
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
			return nil, usage(fmt.Errorf("tokenize: %.40q is no token id", field), "")
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// lines converts JSON lines until the input ends. An empty line is passed over; a wrong one ends the work with its number.
func (c *tokenizeCommand) lines(ctx context.Context, t *tokenizer.Tokenizer, std streams) error {
	in, out := bufio.NewReaderSize(std.in, 1<<16), bufio.NewWriterSize(std.out, 1<<16)
	var line []byte
	var ids []int32
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, out.Flush())
		}
		if in.Buffered() == 0 { // whoever writes line by line waits for the answer
			if err := out.Flush(); err != nil {
				return fmt.Errorf("tokenize: %w", err)
			}
		}
		text, readErr := in.ReadBytes('\n')
		if readErr != nil && readErr != io.EOF {
			return fmt.Errorf("tokenize: line %d: %w", number, readErr)
		}
		if len(strings.TrimSpace(string(text))) > 0 {
			var err error
			if line, ids, err = c.convert(line[:0], ids[:0], t, text); err != nil {
				return errors.Join(fmt.Errorf("tokenize: line %d: %w", number, err), out.Flush())
			}
			if _, err := out.Write(line); err != nil {
				return fmt.Errorf("tokenize: %w", err)
			}
		}
		if readErr == io.EOF {
			return out.Flush()
		}
	}
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
