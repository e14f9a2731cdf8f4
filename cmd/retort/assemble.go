package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
)

// Where a run's folder and a model's folder keep what this program looks for.
const (
	tokenizerFile = "tokenizer.json"
	modelFolder   = "model"   // below a run's folder: the finished model
	adapterFolder = "adapter" // and its adapter alone, as PEFT lays it out
)

// The tokenizers that need no file.
const (
	tokenizerLab   = "lab"
	tokenizerBytes = "bytes"
)

// byteMarks are the special tokens of the tokenizer "bytes", after its 256
// bytes; with them its size is a multiple of 16, the width of a packed panel.
func byteMarks() []tokenizer.Added {
	var added []tokenizer.Added
	for _, text := range []string{tokenizer.Pad, tokenizer.User, tokenizer.Assistant, tokenizer.End,
		tokenizer.Think, tokenizer.EndThink, tokenizer.Answer, tokenizer.EndAnswer} {
		added = append(added, tokenizer.Added{Text: text, Special: true})
	}
	for i := range 8 {
		added = append(added, tokenizer.Added{Text: fmt.Sprintf("<|reserved_%d|>", i), Special: true})
	}
	return added
}

// openTokenizer returns a tokenizer by its name, or from a tokenizer.json.
func openTokenizer(name string) (*tokenizer.Tokenizer, error) {
	switch name {
	case tokenizerLab:
		return tokenizer.Lab(), nil
	case tokenizerBytes:
		return tokenizer.New(byteMarks())
	}
	if isGGUFFile(name) {
		t, err := openGGUFTokenizer(name)
		return t, tokenizerFault(err)
	}
	t, err := tokenizer.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, advise(err, fmt.Sprintf("%s, %s, the path of a tokenizer.json or of a GGUF file", tokenizerLab, tokenizerBytes))
	}
	return t, tokenizerFault(err)
}

// speaker is a model with the tokenizer of its text.
type speaker struct {
	model     *model.Model
	tokenizer *tokenizer.Tokenizer
	chat      *chat.Config // how it is spoken to; nil: in the lab's form
	limits    chat.Limits  // of its template
	packed    *model.Packed
}

// openSpeaker opens a GGUF file, a model's folder, a run's folder (its finished
// model, else its newest checkpoint) or a checkpoint's, by its path or as a store names it. tokenizerName is "" for
// the tokenizer in the GGUF file, beside the model or at the top of its run.
func openSpeaker(path, tokenizerName string) (*speaker, error) {
	return inferenceFlags{Compute: computeFile}.speaker(path, tokenizerName)
}

// speaker is openSpeaker for a model that computes as the flags say.
func (f inferenceFlags) speaker(path, tokenizerName string) (*speaker, error) {
	files, err := openSpeaking(path, tokenizerName)
	if err != nil {
		return nil, err
	}
	s, err := f.load(files, tokenizerName)
	return s, errors.Join(err, files.Close())
}

// openSpeaking opens the files of a model that has a tokenizer of that name, or of its own, and reads no weights.
func openSpeaking(path, tokenizerName string) (*model.Files, error) {
	folder, err := findModel(path)
	if err != nil {
		return nil, err
	}
	files, err := openFiles(folder)
	if err == nil && tokenizerName == "" && tokenizerFor(folder) == "" {
		err = explain.Errorf("bad-tokenizer", "%s has no %s; try: --tokenizer %s or %s", folder, tokenizerFile, tokenizerLab, tokenizerBytes)
		return nil, errors.Join(err, files.Close())
	}
	return files, err
}

// load reads opened files. The tokenizer is made while the weights are read.
func (f inferenceFlags) load(files *model.Files, tokenizerName string) (*speaker, error) {
	s := &speaker{}
	var tokenizerErr, chatErr error
	made := make(chan struct{})
	go func() {
		defer close(made)
		if s.tokenizer, tokenizerErr = tokenizerOfFiles(files, tokenizerName); tokenizerErr == nil {
			s.chat, chatErr = chatOfFiles(files, s.tokenizer)
		}
	}()
	var err error
	s.model, s.packed, err = f.weights(files)
	<-made
	if err = cmp.Or(tokenizerErr, modelFault(err)); err != nil {
		return nil, err
	}
	if s.model.Config().VocabSize < s.tokenizer.Size() {
		name := cmp.Or(tokenizerName, tokenizerFor(files.Path))
		return nil, explain.Errorf("bad-tokenizer", "%s: the model knows %d tokens, tokenizer %s has %d", files.Path, s.model.Config().VocabSize, name, s.tokenizer.Size())
	}
	return s, chatErr
}

// tokenizerOfFiles opens the tokenizer of that name, or "" for the one in a GGUF file or beside the model.
func tokenizerOfFiles(files *model.Files, name string) (*tokenizer.Tokenizer, error) {
	if name != "" || !isGGUFFile(files.Path) {
		return openTokenizer(cmp.Or(name, tokenizerFor(files.Path)))
	}
	t, err := tokenizerOf(files.Weights.Metadata())
	if err != nil {
		err = tokenizerFault(fmt.Errorf("%s: %w", files.Path, err))
	}
	return t, err
}

// findModel returns the path of a model that is named by its path, or as a store names it. This is
// the one place where the names that people give to models become files.
func findModel(text string) (string, error) {
	local, err := resolveModel(text)
	if err != nil {
		return "", err
	}
	return findBelow(local.Path)
}

// findBelow returns path if it is a GGUF or a safetensors file, or the folder at
// or below it that holds a config.json.
func findBelow(path string) (string, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		if err == nil && !isGGUFFile(path) && filepath.Ext(path) != ".safetensors" {
			err = explain.Errorf("bad-model", "%s is a file, want a .gguf or a .safetensors file, or a folder with config.json and model.safetensors", path)
		}
		return path, err
	}
	if files, err := filepath.Glob(filepath.Join(path, "*.gguf")); err == nil && len(files) == 1 && !isFile(filepath.Join(path, "config.json")) {
		return files[0], nil
	}
	for _, folder := range []string{path, filepath.Join(path, modelFolder)} {
		if isFile(filepath.Join(folder, "config.json")) {
			return folder, nil
		}
	}
	checkpoints, err := filepath.Glob(filepath.Join(path, "checkpoints", "step-*", "COMPLETE"))
	if err != nil {
		return "", err
	}
	if n := len(checkpoints); n > 0 { // in the order of the steps, whose numbers have a fixed width
		return filepath.Dir(checkpoints[n-1]), nil
	}
	return "", explain.Errorf("bad-model", "%s holds no model and no checkpoint of one; try: a folder with config.json and model.safetensors, or a run", path)
}

// tokenizerFor is the file that holds the tokenizer of a model that findModel found: a GGUF file itself, or a tokenizer.json
// beside or above the model; "" if there is none.
func tokenizerFor(path string) string {
	if isGGUFFile(path) {
		return path
	}
	return findUpward(path, tokenizerFile)
}

// findUpward looks for a file in a folder and in the two above it, which reaches
// from a checkpoint to its run.
func findUpward(folder, name string) string {
	for range 3 {
		if path := filepath.Join(folder, name); isFile(path) {
			return path
		}
		folder = filepath.Dir(folder)
	}
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// stopTokens are the ids that end a reply: the model's, and the lab's.
func (s *speaker) stopTokens() []int32 {
	stop := s.model.Config().Ends()
	if id, ok := s.tokenizer.ID(tokenizer.End); ok {
		stop = append(stop, id)
	}
	slices.Sort(stop)
	return slices.Compact(stop)
}

// hasTemplate says whether the model is spoken to by a template of its own.
func (s *speaker) hasTemplate() bool { return s.chat != nil && s.chat.Template != nil }

// prompt is what the model reads when it is asked a question.
func (s *speaker) prompt(question string) (chat.Prompt, error) {
	return s.ask([]chat.Message{{Role: "user", Content: question}})
}

// ask is what the model reads when it is to speak in a conversation: llm.LocalOptions.Render. Without a template that is the
// lab's form, which has one question and nothing else.
func (s *speaker) ask(messages []chat.Message) (chat.Prompt, error) {
	if s.hasTemplate() {
		return s.messages(messages, chat.InputOptions{AddGenerationPrompt: true})
	}
	if _, ok := s.tokenizer.ID(tokenizer.User); !ok {
		return chat.Prompt{}, explain.Errorf("no-template", "the model has no chat template; try: retort generate, which continues a text as it stands")
	}
	if len(messages) != 1 || messages[0].Role != "user" {
		return chat.Prompt{}, explain.Errorf("no-template", "the model has no chat template, and in the lab's form it reads one question: got %d messages", len(messages))
	}
	tags := chat.Tags{Open: tokenizer.Think, Close: tokenizer.EndThink}.WithIDs(s.tokenizer)
	return chat.Prompt{IDs: task.PromptTokens(s.tokenizer, messages[0].Content), Tags: tags, State: chat.Thinking}, nil
}

// messages is a conversation in the model's template.
func (s *speaker) messages(messages []chat.Message, o chat.InputOptions) (chat.Prompt, error) {
	in, err := chat.NewInput(messages, o)
	if err != nil {
		return chat.Prompt{}, templateFault(err)
	}
	p, err := s.chat.Encode(s.tokenizer, in, s.limits)
	p.Tags = p.Tags.WithIDs(s.tokenizer) // where a mark is one token, no text that looks like it counts
	return p, templateFault(err)
}

// computeFlags are the flags of every command that computes.
type computeFlags struct {
	Threads int `name:"threads" placeholder:"N" help:"Threads to compute with; 0 is one for each processor."`
}

// open makes the device. It is closed by the caller.
func (f computeFlags) open() (*compute.CPU, error) {
	if f.Threads < 0 || f.Threads > 1024 {
		return nil, usage(explain.Errorf("bad-value", "--threads: got %d, want 0 to 1024", f.Threads), "")
	}
	threads := f.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return compute.NewCPU(threads), nil
}

// computeFile is the value of --compute that leaves quantised weights and those of 16 bits as the file stores them.
const computeFile = "file"

// inferenceFlags are the flags of every command that only runs a model.
type inferenceFlags struct {
	computeFlags
	Compute string `name:"compute" default:"" enum:",file,f32,bf16" placeholder:"HOW" help:"file: weights that a file holds quantised, in BF16 or in F16 stay so, and the inputs of their products are rounded to 8 bits, to BF16, or not; f32: every weight is widened to float32; bf16: matrices and the inputs of their products are rounded to BF16. Default: file, of score f32."`
	Packed  string `name:"packed" default:"auto" enum:"auto,off" placeholder:"HOW" help:"auto: read the weights from their packed copy if there is one (retort pack; run and serve keep one of large models); off: neither read nor keep one."`
}

// embedded opens the model in the binary, whose weights are not quantised.
func (f inferenceFlags) embedded() (*speaker, error) {
	s, err := openEmbedded()
	if err == nil && f.Compute == model.ComputeBF16 {
		err = s.model.SetOptions(model.Options{Compute: f.Compute})
	}
	return s, err
}

// model opens what findModel found.
func (f inferenceFlags) model(path string) (*model.Model, error) {
	files, err := openFiles(path)
	if err != nil {
		return nil, modelFault(err)
	}
	m, _, err := f.weights(files)
	return m, errors.Join(modelFault(err), files.Close())
}

// weights reads those of opened files, by their packed copy where there is one.
func (f inferenceFlags) weights(files *model.Files) (*model.Model, *model.Packed, error) {
	if f.Compute == "" || f.Compute == computeFile {
		return files.Load(f.packedFolder())
	}
	m, err := files.Widen()
	if err != nil {
		return nil, nil, err
	}
	return m, &model.Packed{}, m.SetOptions(model.Options{Compute: f.Compute})
}

// kvFlags are the flags of every command that generates.
type kvFlags struct {
	KV string `name:"kv" default:"" enum:",f32,bf16,f16,q8_0" placeholder:"FORMAT" help:"Keys and values in f32, bf16, f16 or q8_0: 16 bits take half the memory and the traffic, and round; q8_0 takes 8.5 and costs accuracy. Default: f16 where weights stay quantised or of 16 bits, else f32."`
}

// warn says what keys and values in 8 bits cost.
func (f kvFlags) warn(out *output) { warnOfKV(out, f.KV) }

func warnOfKV(out *output, format string) {
	if format == model.KVQ8 {
		out.note("warning: keys and values in q8_0 cost accuracy, more than f16")
	}
}

// format is that of keys and values.
func (f kvFlags) format(isQuantised bool) string {
	switch {
	case f.KV != "":
		return f.KV
	case isQuantised:
		return model.KVF16
	}
	return model.KVF32
}

// keepsQuantised reports whether the model that f.model makes of files has quantised weights.
func (f inferenceFlags) keepsQuantised(files *model.Files) (bool, error) {
	if f.Compute != "" && f.Compute != computeFile {
		return false, nil
	}
	return files.KeepsQuantised()
}

// oneLine makes text from a model safe to print: control characters, which could
// steer a terminal, become visible.
func oneLine(text string) string { return printable(text, false) }

// printable replaces control characters, but keeps line breaks if asked to.
func printable(text string, keepLines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' && keepLines:
			return r
		case r < ' ':
			return '␀' + r
		case r == 0x7f || r >= 0x80 && r < 0xa0:
			return '�'
		}
		return r
	}, text)
}
