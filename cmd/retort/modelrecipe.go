package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
)

// modelRecipe names the model that is trained: one that exists, or a new one of
// a shape. A zero in the shape stands for the existing model's number, or for
// the default of a new one.
type modelRecipe struct {
	Path         string  `help:"a GGUF file, or the folder of a model or a run, to begin from; empty: a new model"`
	Seed         uint64  `help:"of a new model's weights"`
	Width        int     `help:"D"`
	Layers       int     `help:"L"`
	Heads        int     `help:"H, query heads"`
	KVHeads      int     `help:"G, key and value heads"`
	HeadSize     int     `help:"K"`
	FFN          int     `help:"F"`
	MaxPositions int     `help:"longest sequence in tokens"`
	RopeTheta    float64 `help:"base of the rotary frequencies"`
	NormEpsilon  float64 `help:"of the RMS norms"`
	Initializer  float64 `recipe:"initializer_range" help:"standard deviation of a new model's matrices"`
	Head         string  `help:"tied (to the embeddings) or own"`
	Compute      string  `help:"f32, or bf16: matrices and the inputs of their products are rounded to BF16; what is trained and saved stays f32"`
	Today        string  `help:"the day that a chat template which tells it is given, as in 2024-07-26; empty: filled in where a template asks"`
}

// The values of modelRecipe.Head.
const (
	headTied = "tied"
	headOwn  = "own"
)

// newModelShape is the default shape, about 0.35 million parameters.
var newModelShape = modelRecipe{
	Width: 96, Layers: 3, Heads: 3, KVHeads: 3, HeadSize: 32, FFN: 256, MaxPositions: 1024,
	RopeTheta: 10000, NormEpsilon: 1e-6, Initializer: 0.02, Head: headTied,
}

// resolve fills in the shape. A number that contradicts the existing model is an error.
func (r *modelRecipe) resolve() error {
	from, path := newModelShape, ""
	if r.Path != "" {
		var err error
		if path, err = findModel(r.Path); err != nil {
			return fmt.Errorf("model.path: %w", err)
		}
		files, err := openFiles(path)
		if err != nil {
			return fmt.Errorf("model.path: %w", err)
		}
		from = shapeOf(files.Config)
		if err := files.Close(); err != nil {
			return fmt.Errorf("model.path: %w", err)
		}
	}
	r.Compute = model.Options{Compute: r.Compute}.Resolved().Compute
	if err := (model.Options{Compute: r.Compute}).Validate(); err != nil {
		return fmt.Errorf("model.compute: got %q, want %s or %s", r.Compute, model.ComputeF32, model.ComputeBF16)
	}
	if _, err := time.Parse(time.DateOnly, r.Today); r.Today != "" && err != nil {
		return fmt.Errorf("model.today: got %q, want a day such as 2024-07-26", r.Today)
	}
	if r.Head != "" && r.Head != headTied && r.Head != headOwn {
		return fmt.Errorf("model.head: got %q, want %s or %s", r.Head, headTied, headOwn)
	}
	return errors.Join(
		settle("width", &r.Width, from.Width, path), settle("layers", &r.Layers, from.Layers, path),
		settle("heads", &r.Heads, from.Heads, path), settle("kv_heads", &r.KVHeads, from.KVHeads, path),
		settle("head_size", &r.HeadSize, from.HeadSize, path), settle("ffn", &r.FFN, from.FFN, path),
		settle("max_positions", &r.MaxPositions, from.MaxPositions, path),
		settle("rope_theta", &r.RopeTheta, from.RopeTheta, path),
		settle("norm_epsilon", &r.NormEpsilon, from.NormEpsilon, path),
		settle("initializer_range", &r.Initializer, from.Initializer, ""),
		settle("head", &r.Head, from.Head, path),
	)
}

// settle fills in a zero; path is that of an existing model, or "".
func settle[T comparable](key string, value *T, from T, path string) error {
	var zero T
	if *value == zero {
		*value = from
	}
	if path != "" && *value != from {
		return fmt.Errorf("model.%s: got %v, the model has %v (%s)", key, *value, from, path)
	}
	return nil
}

func shapeOf(c model.Config) modelRecipe {
	r := modelRecipe{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, KVHeads: c.KVHeads, HeadSize: c.HeadSize, FFN: c.FFN,
		MaxPositions: c.MaxPositions, RopeTheta: c.RopeTheta, NormEpsilon: c.NormEpsilon, Initializer: c.InitializerRange, Head: headOwn,
	}
	if c.TieEmbeddings {
		r.Head = headTied
	}
	return r
}

// open makes the new model for the tokenizer's text, or opens the existing one, to compute as the recipe says.
func (r *modelRecipe) open(t *tokenizer.Tokenizer) (*model.Model, error) {
	m, err := r.openPlain(t)
	if err != nil {
		return nil, err
	}
	return m, m.SetOptions(model.Options{Compute: r.Compute})
}

func (r *modelRecipe) openPlain(t *tokenizer.Tokenizer) (*model.Model, error) {
	if r.Path != "" {
		folder, err := findModel(r.Path)
		if err != nil {
			return nil, err
		}
		m, err := openModel(folder)
		if err == nil && m.Config().VocabSize < t.Size() {
			err = fmt.Errorf("%s: the model knows %d tokens, the tokenizer has %d", folder, m.Config().VocabSize, t.Size())
		}
		return m, err
	}
	end, ok := t.ID(tokenizer.End)
	if !ok {
		end = -1
	}
	shape := model.Config{
		Architecture: model.Qwen2, VocabSize: t.Size(), Width: r.Width, Layers: r.Layers, Heads: r.Heads,
		KVHeads: r.KVHeads, HeadSize: r.HeadSize, FFN: r.FFN, MaxPositions: r.MaxPositions,
		RopeTheta: r.RopeTheta, NormEpsilon: r.NormEpsilon, InitializerRange: r.Initializer, TieEmbeddings: r.Head == headTied, BOS: -1, EOS: end,
	}
	if err := shape.Validate(); err != nil {
		return nil, err
	}
	if err := fitsTraining(shape, freeMemory(os.ReadFile)); err != nil {
		return nil, err
	}
	return model.New(shape, r.Seed)
}

// fitsTraining is an error where a new model of the shape cannot be trained in so many free bytes; of 0 nothing is known.
func fitsTraining(shape model.Config, free int64) error {
	const each = 4 * 4 // bytes of a parameter: its value, gradient and two moments, in float32
	if need := float64(shape.NumParameters()) * each; free > 0 && need > float64(free) {
		return explain.Errorf("memory", "model: %s parameters take at least %s to train (values, gradients and two moments in float32), and %s are free; try: a smaller model.width, model.ffn or model.layers",
			humanCount(shape.NumParameters()), humanBytes(int64(min(need, 1<<62))), humanBytes(free))
	}
	return nil
}

// clock returns limits whose clock stands still at the day of the recipe, which is filled in if the template asks for one: a run that is
// resumed another day must read the same prompts.
func (r *modelRecipe) clock(words *chat.Config) chat.Limits {
	if r.Today == "" && words != nil && words.Template != nil && strings.Contains(words.Template.Source(), "strftime_now") {
		r.Today = time.Now().Format(time.DateOnly)
	}
	day, err := time.Parse(time.DateOnly, r.Today)
	if err != nil {
		return chat.Limits{}
	}
	return chat.Limits{Now: func() time.Time { return day }}
}

// openAdapted opens the model, with a fresh adapter over it if the options name one.
func (r *modelRecipe) openAdapted(t *tokenizer.Tokenizer, lora model.LoRAOptions) (*model.Model, error) {
	m, err := r.open(t)
	if err != nil || lora.Rank == 0 {
		return m, err
	}
	if r.Path == "" {
		return nil, errors.New("lora.rank is set for a new model, whose weights mean nothing yet; try: --set model.path=DIR")
	}
	return m.WithAdapter(lora)
}

// resolveTokenizer fills in the tokenizer's name: the one beside the model, or otherwise.
func (r *modelRecipe) resolveTokenizer(name *string, otherwise string) error {
	if *name != "" {
		return nil
	}
	*name = otherwise
	if r.Path == "" {
		return nil
	}
	folder, err := findModel(r.Path)
	if err != nil {
		return fmt.Errorf("model.path: %w", err)
	}
	if *name = tokenizerFor(folder); *name == "" {
		return fmt.Errorf("%s has no %s; try: --set tokenizer=%s or %s", folder, tokenizerFile, tokenizerLab, tokenizerBytes)
	}
	return nil
}
