package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
)

// templateCommand renders conversations by a chat template.
type templateCommand struct {
	File  string `name:"file" required:"" placeholder:"FILE" help:"A template (.jinja), a tokenizer_config.json, or a model's folder."`
	Input string `arg:"" optional:"" name:"input" help:"A JSON object: messages, tools, add_generation_prompt and further variables; default: standard input."`
	Lines bool   `name:"jsonl" help:"Read lines {\"input\",\"bos_token\",\"eos_token\"} from standard input, print {\"output\"} or {\"error\"} for each."`
	Now   string `name:"now" placeholder:"DATE" help:"The day of strftime_now, as in 2024-07-26 or 2024-07-26T08:00:00; default: today."`
}

// promptLine is one line of --jsonl.
type promptLine struct {
	Input json.RawMessage `json:"input"`
	BOS   *string         `json:"bos_token"`
	EOS   *string         `json:"eos_token"`
}

// promptResult is what is printed for it.
type promptResult struct {
	Output *string `json:"output,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// Run renders, and prints the prompt as it stands: without a newline of its own.
func (c *templateCommand) Run(ctx context.Context, out *output) error {
	limits, err := c.limits()
	if err != nil {
		return err
	}
	config, err := readTemplate(c.File)
	if err != nil {
		return err
	}
	if c.Lines {
		if c.Input != "" {
			return usage(errors.New("--jsonl reads standard input, and takes no argument"), "")
		}
		return eachLine(ctx, "template", out.std, func(dst, line []byte) ([]byte, error) {
			return answerLine(dst, line, config, limits)
		})
	}
	object := []byte(c.Input)
	if c.Input == "" {
		if object, err = io.ReadAll(io.LimitReader(out.std.in, maxLine)); err != nil {
			return fmt.Errorf("template: standard input: %w", err)
		}
	}
	in, err := chat.ParseInput(object)
	if err != nil {
		return usage(inputFault(err), `retort template --file X.jinja '{"messages":[{"role":"user","content":"Hi"}]}'`)
	}
	text, err := config.Prompt(in, limits)
	if err != nil {
		return templateFault(err)
	}
	if out.json {
		return out.event("prompt", promptResult{Output: &text})
	}
	_, err = io.WriteString(out.std.out, text)
	return err
}

// limits are the defaults, with the clock that was asked for.
func (c *templateCommand) limits() (chat.Limits, error) {
	if c.Now == "" {
		return chat.Limits{}, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", time.RFC3339} {
		if at, err := time.Parse(layout, c.Now); err == nil {
			return chat.Limits{Now: func() time.Time { return at }}, nil
		}
	}
	return chat.Limits{}, usage(explain.Errorf("bad-value", "--now %q: want a date such as 2024-07-26", c.Now), "")
}

// answerLine appends the prompt of one conversation, or the error that rendering it ended with.
func answerLine(dst, line []byte, config *chat.Config, limits chat.Limits) ([]byte, error) {
	var result promptResult
	if text, err := renderLine(config, line, limits); err != nil {
		result.Error = err.Error()
	} else {
		result.Output = &text
	}
	to := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(result)
	return to.Bytes(), err
}

func renderLine(config *chat.Config, line []byte, limits chat.Limits) (string, error) {
	var p promptLine
	if err := json.Unmarshal(line, &p); err != nil {
		return "", fmt.Errorf("template: line: %w", err)
	}
	if p.Input == nil {
		return "", errors.New(`template: line: no "input"`)
	}
	in, err := chat.ParseInput(p.Input)
	if err != nil {
		return "", err
	}
	if p.BOS != nil {
		in = in.WithText("bos_token", *p.BOS)
	}
	if p.EOS != nil {
		in = in.WithText("eos_token", *p.EOS)
	}
	return config.Prompt(in, limits)
}

// readTemplate reads a template by itself, or the one of a model's folder.
func readTemplate(path string) (*chat.Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() || filepath.Base(path) == "tokenizer_config.json" {
		if !info.IsDir() {
			path = filepath.Dir(path)
		}
		words, err := chat.Open(path)
		return words, templateFault(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	template, err := chat.Parse(string(source))
	if err != nil {
		return nil, templateFault(fmt.Errorf("%s: %w", path, err))
	}
	return &chat.Config{Template: template}, nil
}
