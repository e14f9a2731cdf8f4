package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Config is what a model's files say about its conversations.
type Config struct {
	Template *Template // "default" of several; nil if the model has none
	// Named are the templates of a model that has several, such as tool_use, by name.
	Named map[string]*Template

	BOS, EOS string // the texts of the tokens; "" where there is none
	// AddBOS says that the model's own tokenizer puts a BOS before every text; nil where the files do not say.
	AddBOS *bool
}

// The most bytes that are read of a file.
const maxConfigBytes = 16 << 20

// specialToken is a token in tokenizer_config.json: a text, or an object that holds one.
type specialToken string

// UnmarshalJSON reads either form; null is no token.
func (s *specialToken) UnmarshalJSON(data []byte) error {
	var object struct {
		Content string `json:"content"`
	}
	var text *string
	if err := json.Unmarshal(data, &text); err == nil {
		if text != nil {
			*s = specialToken(*text)
		}
		return nil
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return errors.New("want a text or an object with content")
	}
	*s = specialToken(object.Content)
	return nil
}

// ParseConfig reads a tokenizer_config.json: chat_template as a text or as a list of objects with name and template,
// bos_token and eos_token as texts or objects, add_bos_token.
func ParseConfig(data []byte) (*Config, error) {
	var file struct {
		ChatTemplate json.RawMessage `json:"chat_template"`
		BOS          specialToken    `json:"bos_token"`
		EOS          specialToken    `json:"eos_token"`
		AddBOS       *bool           `json:"add_bos_token"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("chat: tokenizer_config.json: %w", err)
	}
	c := &Config{BOS: string(file.BOS), EOS: string(file.EOS), AddBOS: file.AddBOS}
	if len(file.ChatTemplate) == 0 || string(file.ChatTemplate) == "null" {
		return c, nil
	}
	var source string
	if err := json.Unmarshal(file.ChatTemplate, &source); err == nil {
		c.Template, err = Parse(source)
		return c, err
	}
	var list []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(file.ChatTemplate, &list); err != nil {
		return nil, errors.New("chat: tokenizer_config.json: chat_template: want a text or a list of objects with name and template")
	}
	c.Named = map[string]*Template{}
	for _, entry := range list {
		if _, twice := c.Named[entry.Name]; twice {
			return nil, fmt.Errorf("chat: tokenizer_config.json: chat_template: %q stands twice", entry.Name)
		}
		template, err := Parse(entry.Template)
		if err != nil {
			return nil, fmt.Errorf("%w (template %q)", err, entry.Name)
		}
		c.Named[entry.Name] = template
	}
	c.Template = c.Named["default"]
	return c, nil
}

// GGUFConfig makes the config of a GGUF file from its metadata: template is tokenizer.chat_template ("" if absent), bos and
// eos the texts of the tokens that tokenizer.ggml.bos_token_id and eos_token_id name ("" if absent), addBOS
// tokenizer.ggml.add_bos_token (nil if absent).
func GGUFConfig(template, bos, eos string, addBOS *bool) (*Config, error) {
	c := &Config{BOS: bos, EOS: eos, AddBOS: addBOS}
	if template == "" {
		return c, nil
	}
	var err error
	c.Template, err = Parse(template)
	return c, err
}

// Open reads tokenizer_config.json of a model's folder, and chat_template.jinja beside it, which replaces a template in the
// former. A folder with neither is an error; with the former alone, Template may be nil.
func Open(dir string) (*Config, error) {
	c := &Config{}
	data, err := readBounded(filepath.Join(dir, "tokenizer_config.json"))
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
		if c, err = ParseConfig(data); err != nil {
			return nil, fmt.Errorf("%w (in %s)", err, dir)
		}
	case !missing:
		return nil, err
	}
	source, err := readBounded(filepath.Join(dir, "chat_template.jinja"))
	switch {
	case err == nil:
		if c.Template, err = Parse(string(source)); err != nil {
			return nil, fmt.Errorf("%w (in %s)", err, dir)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case missing:
		return nil, fmt.Errorf("chat: %s: no tokenizer_config.json and no chat_template.jinja", dir)
	}
	return c, nil
}

// readBounded reads a file of at most maxConfigBytes.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfigBytes {
		return nil, fmt.Errorf("chat: %s: %d bytes, at most %d", path, info.Size(), maxConfigBytes)
	}
	return os.ReadFile(path)
}

// Complete adds bos_token and eos_token to an input that does not have them, where the model has such tokens, as
// transformers does.
func (c *Config) Complete(in Input) Input {
	if _, has := in.get("bos_token"); !has && c.BOS != "" {
		in = in.WithText("bos_token", c.BOS)
	}
	if _, has := in.get("eos_token"); !has && c.EOS != "" {
		in = in.WithText("eos_token", c.EOS)
	}
	return in
}

// Prompt renders the prompt of an input by the model's template.
func (c *Config) Prompt(in Input, limits Limits) (string, error) {
	if c.Template == nil {
		names := make([]string, 0, len(c.Named))
		for name := range c.Named {
			names = append(names, name)
		}
		if len(names) > 0 {
			return "", fmt.Errorf("chat: the model has no default template, only %s: choose one of Named", strings.Join(slices.Sorted(slices.Values(names)), ", "))
		}
		return "", errors.New("chat: the model has no chat template: give it plain prompts")
	}
	return c.Template.Render(c.Complete(in), limits)
}
