package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

// convertCommand writes a model in another container or format.
type convertCommand struct {
	In   string `arg:"" name:"in" help:"The model: a path, a name of a store, or an alias."`
	Out  string `arg:"" name:"out" help:"A file that ends in .gguf, or a folder to make, for safetensors."`
	Type string `name:"type" complete:"format" placeholder:"FORMAT" help:"The format of the weights, such as F32, BF16, Q8_0 or Q4_K; default: each tensor's own."`
}

// writtenEvent is the --json form of a model that was written.
type writtenEvent struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// Run converts tensor by tensor, with the tokenizer and the template of conversations.
func (c *convertCommand) Run(_ context.Context, out *output) error {
	format, err := parseType(c.Type)
	if err != nil {
		return err
	}
	folder, err := findModel(c.In)
	if err != nil {
		return err
	}
	f, err := openFiles(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := tokenizerBeside(f.Weights, f.Dir)
	if err != nil {
		return err
	}
	config, err := openChat(folder, t)
	if err != nil {
		return err
	}
	if t == nil {
		out.note("%s has no tokenizer: the copy has none either", c.In)
	}
	if isGGUFName(c.Out) {
		more, err := textMetadata(t, config, f.Config.VocabSize)
		if err != nil {
			return fmt.Errorf("%s: %w", c.In, err)
		}
		err = f.WriteGGUF(c.Out, format, append(more, weights.KV{Key: "general.name", Value: nameOf(c.In)}))
		return wrote(out, c.Out, err)
	}
	if err := f.WriteFolder(c.Out, format); err != nil {
		return err
	}
	return wrote(out, c.Out, saveText(c.Out, t, config))
}

func isGGUFName(path string) bool { return strings.EqualFold(filepath.Ext(path), ".gguf") }

// nameOf is a model's name for people.
func nameOf(path string) string {
	base := filepath.Base(filepath.Clean(path))
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// parseType reads a format; "" is nil.
func parseType(name string) (*tensor.Format, error) {
	if name == "" {
		return nil, nil
	}
	format, err := tensor.ParseFormat(strings.ToUpper(name))
	if err != nil {
		return nil, usage(explain.Errorf("bad-value", "--type: %w", err), "")
	}
	if !format.Encodes() {
		return nil, usage(explain.Errorf("bad-value", "--type: values cannot be written as %s", format), "")
	}
	return &format, nil
}

// textMetadata describes a tokenizer and a template of conversations (either may be nil).
func textMetadata(t *tokenizer.Tokenizer, config *chat.Config, size int) (weights.Metadata, error) {
	m := weights.Metadata{{Key: keyModel, Value: noVocabulary}}
	if t != nil {
		var err error
		if m, err = vocabularyMetadata(t, size); err != nil {
			return nil, err
		}
	}
	if config == nil {
		return m, nil
	}
	for _, end := range []struct{ key, text string }{{keyBOS, config.BOS}, {keyEOS, config.EOS}} {
		if t == nil || end.text == "" {
			continue
		}
		if id, ok := t.ID(end.text); ok {
			m.Set(end.key, uint32(id))
		}
	}
	if config.Template != nil {
		m.Set(keyTemplate, config.Template.Source())
	}
	return m, nil
}

// saveText writes a tokenizer (nil for none) and, if there is one, a template of conversations, as
// transformers reads them.
func saveText(dir string, t *tokenizer.Tokenizer, config *chat.Config) error {
	if t == nil {
		return nil
	}
	if err := t.Save(filepath.Join(dir, tokenizerFile)); err != nil {
		return err
	}
	if config == nil {
		return nil
	}
	file := struct {
		Class    string `json:"tokenizer_class"`
		BOS      string `json:"bos_token,omitempty"`
		EOS      string `json:"eos_token,omitempty"`
		AddBOS   *bool  `json:"add_bos_token,omitempty"`
		Template string `json:"chat_template,omitempty"`
		CleanUp  bool   `json:"clean_up_tokenization_spaces"`
	}{Class: "PreTrainedTokenizerFast"}
	file.BOS, file.EOS, file.AddBOS = config.BOS, config.EOS, config.AddBOS
	if config.Template != nil {
		file.Template = config.Template.Source()
	}
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false) // people read templates
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(file); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), data.Bytes(), 0o644)
}

// wrote says what was written, unless writing failed.
func wrote(out *output, path string, err error) error {
	if err != nil {
		return err
	}
	size, err := sizeOf(path)
	if err != nil {
		return err
	}
	out.result("%s: %s", path, humanBytes(size))
	return out.event("written", writtenEvent{path, size})
}

// sizeOf is the size of a file, or of the files in a folder.
func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	entries, err := os.ReadDir(path)
	total := int64(0)
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil {
			err = errors.Join(err, infoErr)
		} else if info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	return total, err
}

// humanBytes writes a size with three figures.
func humanBytes(n int64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if x := float64(n) / u.size; x >= 1 {
			if x >= 999.5 {
				return fmt.Sprintf("%.0f %s", x, u.name)
			}
			return fmt.Sprintf("%.3g %s", x, u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
