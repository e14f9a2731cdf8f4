package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
)

// teacherRecipe names the teacher: a model of this machine, or one behind an endpoint. How it is sampled stands in collect.
type teacherRecipe struct {
	Path    string `help:"a GGUF file, or the folder of a model or a run"`
	URL     string `recipe:"url" help:"an OpenAI-compatible endpoint instead of a path, such as http://127.0.0.1:8000/v1; for the method traces"`
	Name    string `help:"of the model at the endpoint; empty: the only one that it lists"`
	Compute string `help:"f32 or bf16, as model.compute"`
	Hash    string `help:"of its config and weights, or of what an endpoint is asked; empty: filled in, so that a run is resumed with the teacher it began with"`

	System      string `help:"a system message of every question, where the teacher has a template; the student does not see it"`
	Instruction string `help:"a text behind every question, such as the form of the answer; the student does not see it"`

	KeyEnv            string        `recipe:"key_env" help:"variable of the environment that holds the endpoint's key, such as OPENAI_API_KEY; empty: no key is sent"`
	Concurrency       int           `help:"requests under way at a time; 0 is 8"`
	RequestsPerMinute int           `help:"0 is no limit"`
	TokensPerMinute   int           `help:"0 is no limit"`
	Timeout           time.Duration `help:"of one reply; 0 is 2h"`
	Idle              time.Duration `help:"longest silence within a reply; 0 is 10m"`
	OpensThought      bool          `help:"the endpoint's template opens the thought and leaves it in the text: a reply without a mark is a thought that did not end"`
	Omit              []string      `help:"fields that the endpoint refuses: temperature, top_p, seed, max_tokens, stop, stream_options"`
	PriceIn           float64       `recipe:"price_in" help:"of a million tokens of questions, in any currency"`
	PriceOut          float64       `recipe:"price_out" help:"of a million tokens of replies"`
}

// Defaults of an endpoint.
const (
	remoteTokens = 16384 // most of a trace
	remoteChunk  = 32    // problems asked for together, between two lines of progress
)

// teacherKeys are the assignments to the recipe that --teacher stands for.
func teacherKeys(who string) []string {
	if strings.HasPrefix(who, "http://") || strings.HasPrefix(who, "https://") {
		return []string{"teacher.path=", "teacher.url=" + who}
	}
	return []string{"teacher.url=", "teacher.path=" + who}
}

// resolveTeacher fills in what depends on who teaches: the student's shape, the tokenizer and the length of the traces.
func (r *distillRecipe) resolveTeacher() error {
	switch t := &r.Teacher; {
	case t.Path == "" && t.URL == "":
		return fmt.Errorf("teacher.path %w; try: --teacher DIR, or --teacher http://127.0.0.1:8000/v1", errUnset)
	case t.Path != "" && t.URL != "":
		return errors.New("teacher.path and teacher.url are both set, want one teacher")
	case t.URL != "":
		return r.resolveRemote()
	}
	teacher := modelRecipe{Path: r.Teacher.Path, Compute: r.Teacher.Compute}
	if err := teacher.resolve(); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	r.Teacher.Compute = teacher.Compute
	if err := r.Model.resolve(); err != nil {
		return err
	}
	if err := teacher.resolveTokenizer(&r.Tokenizer, ""); err != nil {
		return err
	}
	for _, tokens := range []*int{&r.Collect.MaxNewTokens, &r.OnPolicy.Rollout.MaxNewTokens} {
		if *tokens == 0 { // half of the positions leave room for the prompt
			*tokens = min(1024, teacher.MaxPositions/2, r.Model.MaxPositions/2)
		}
	}
	return nil
}

func (r *distillRecipe) resolveRemote() error {
	if r.Method != methodTraces {
		return fmt.Errorf("method: got %q, which needs the teacher's distributions; an endpoint gives traces; try: method=%s, or teacher.path", r.Method, methodTraces)
	}
	if len(r.Collect.Stop) > 0 {
		return errors.New("collect.stop: got token ids, which an endpoint does not know; its model ends its turn by itself")
	}
	if err := r.Model.resolve(); err != nil {
		return err
	}
	otherwise := tokenizerBytes
	if r.Task.File == "" {
		otherwise = tokenizerLab
	}
	if err := r.Model.resolveTokenizer(&r.Tokenizer, otherwise); err != nil {
		return err
	}
	if r.Collect.MaxNewTokens == 0 {
		r.Collect.MaxNewTokens = remoteTokens
	}
	if r.Collect.ChunkProblems == 0 {
		r.Collect.ChunkProblems = remoteChunk
	}
	if r.OnPolicy.Rollout.MaxNewTokens == 0 {
		r.OnPolicy.Rollout.MaxNewTokens = min(1024, r.Model.MaxPositions/2)
	}
	client, remote := r.Teacher.clientOptions(""), r.Teacher.remoteOptions()
	if remote.Model == "" {
		remote.Model = "to be found"
	}
	return errors.Join(client.Validate(), remote.Validate())
}

func (r *teacherRecipe) clientOptions(key openai.Secret) openai.Options {
	return openai.Options{BaseURL: r.URL, Key: key, Timeout: r.Timeout, Idle: r.Idle,
		RequestsPerMinute: r.RequestsPerMinute, TokensPerMinute: r.TokensPerMinute, MaxConcurrent: r.Concurrency}
}

func (r *teacherRecipe) remoteOptions() llm.RemoteOptions {
	return llm.RemoteOptions{Model: r.Name, Concurrency: r.Concurrency, OpensThought: r.OpensThought, Omit: r.Omit, Price: r.price()}
}

func (r *teacherRecipe) price() llm.Price { return llm.Price{In: r.PriceIn, Out: r.PriceOut} }

// name is the teacher in the provenance.
func (r *teacherRecipe) name() string {
	if r.URL == "" {
		return r.Path
	}
	return r.Name + " at " + r.URL
}

// ask is the conversation of a problem.
func (r *teacherRecipe) ask(p *task.Problem) []chat.Message {
	var messages []chat.Message
	if r.System != "" {
		messages = append(messages, chat.Message{Role: "system", Content: r.System})
	}
	question := p.Question
	if r.Instruction != "" {
		question += "\n" + r.Instruction
	}
	return append(messages, chat.Message{Role: "user", Content: question})
}

// openTeacher opens the teacher, and fills in or checks its hash.
func (d *distillation) openTeacher(ctx context.Context) error {
	r := &d.recipe.Teacher
	hash, err := "", error(nil)
	if r.URL != "" {
		hash, err = d.openRemote(ctx)
	} else {
		hash, err = d.openLocal()
	}
	if err != nil {
		return err
	}
	if r.Hash != "" && r.Hash != hash {
		return explain.Errorf("other-run", "%s: the teacher's hash is %s, want %s; try: the teacher that the run began with", r.name(), hash, r.Hash)
	}
	r.Hash = hash
	return nil
}

func (d *distillation) openLocal() (hash string, err error) {
	folder, err := findModel(d.recipe.Teacher.Path)
	if err != nil {
		return "", err
	}
	m, err := openModel(folder)
	if err != nil {
		return "", err
	}
	words, err := openChat(folder, d.tokenizer)
	if err != nil {
		return "", err
	}
	d.teacher = &speaker{model: m, tokenizer: d.tokenizer, chat: words, limits: d.recipe.Model.clock(words)}
	if hash, err = distill.ModelHash(m); err != nil {
		return "", err
	}
	return hash, m.SetOptions(model.Options{Compute: d.recipe.Teacher.Compute})
}

// openRemote makes the client. The key is read here and goes nowhere else.
func (d *distillation) openRemote(ctx context.Context) (hash string, err error) {
	r := &d.recipe.Teacher
	key := ""
	if r.KeyEnv != "" {
		if key = strings.TrimSpace(os.Getenv(r.KeyEnv)); key == "" && !d.isAsked {
			return "", explain.Errorf("no-key", "teacher.key_env: the variable %s is empty; try: export %s=KEY", r.KeyEnv, r.KeyEnv)
		}
	}
	options := r.clientOptions(openai.Secret(key))
	client, err := openai.New(&options)
	if err != nil {
		return "", err
	}
	if r.Name == "" {
		models, err := client.Models(ctx)
		if err != nil {
			return "", fmt.Errorf("teacher.name is not set, and the endpoint does not list its models: %w", err)
		}
		if len(models) != 1 {
			var names []string
			for _, m := range models[:min(len(models), 20)] {
				names = append(names, m.ID)
			}
			return "", explain.Errorf("missing-argument", "teacher.name is not set, and the endpoint has %d models; try: --set teacher.name=NAME, one of: %s", len(models), oneLine(strings.Join(names, ", ")))
		}
		r.Name = models[0].ID
	}
	remote := r.remoteOptions()
	if d.remote, err = llm.NewRemote(client, &remote); err != nil {
		return "", err
	}
	// The weights cannot be seen. What the traces are a function of, as far as we know it, stands for them.
	known, err := json.Marshal([]any{client.BaseURL(), r.Name, r.OpensThought, r.Omit})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(known)
	return hex.EncodeToString(sum[:]), nil
}

// voice sets how the teacher is asked: at its endpoint, by its own template, or in the lab's form.
func (d *distillation) voice(setup *distill.Setup, options *distill.CollectOptions) error {
	if d.remote != nil {
		setup.Generator, setup.Ask = d.remote, d.recipe.Teacher.ask
		return nil
	}
	e, err := engine.New(d.teacher.model, d.cpu, nil)
	if err != nil {
		return err
	}
	if d.teacher.hasTemplate() {
		setup.Generator = llm.NewLocalWith(e, d.tokenizer, llm.LocalOptions{Render: d.teacher.ask, Ends: d.teacher.stopTokens()})
		setup.Ask = d.recipe.Teacher.ask
		return nil
	}
	if d.recipe.Teacher.System+d.recipe.Teacher.Instruction != "" {
		return explain.Errorf("no-template", "teacher.system and teacher.instruction want a teacher with a chat template")
	}
	setup.Sampler = e
	if len(options.Stop) == 0 {
		options.Stop = d.teacher.stopTokens()
	}
	return nil
}

// fitReply puts a trace as a student's prompt wants it: where the prompt opens the thought, one that a teacher did not have
// is closed at once; where the prompt has closed it, the answer is left alone; elsewhere a thought begins with its mark.
func fitReply(text string, p *chat.Prompt) string {
	_, answer, isClosed := strings.Cut(text, p.Tags.Close)
	switch {
	case p.State == chat.Thinking && !isClosed && !strings.HasPrefix(text, p.Tags.Open):
		return p.Tags.Close + "\n\n" + text
	case p.State == chat.Answering && isClosed:
		return strings.TrimLeft(answer, " \t\r\n")
	case p.State == chat.Undecided && isClosed && !strings.HasPrefix(text, p.Tags.Open):
		return p.Tags.Open + "\n" + text
	}
	return text
}

// encodeForeign encodes a trace from elsewhere for a student of the lab's form: the form's own tags are tokens, and whatever
// else looks like a special token is text.
func encodeForeign(t *tokenizer.Tokenizer, text string) (ids []int32) {
	for text != "" {
		at, mark := len(text), ""
		for _, tag := range []string{tokenizer.Think, tokenizer.EndThink, tokenizer.Answer, tokenizer.EndAnswer} {
			if i := strings.Index(text[:at], tag); i >= 0 {
				at, mark = i, tag
			}
		}
		if at > 0 {
			ids = append(ids, t.EncodeText(text[:at])...)
		}
		if mark != "" {
			ids = append(ids, t.Encode(mark)...)
		}
		text = text[at+len(mark):]
	}
	return ids
}

// reportUse says what an endpoint counted, over all beginnings of the run, and what that costs.
func (d *distillation) reportUse(counts *distill.Counts) {
	if d.remote == nil {
		return
	}
	r := &d.recipe.Teacher
	cost := r.price().Cost(counts.PromptTokens, 0, counts.ReplyTokens)
	retries := d.remote.Totals().Retries
	d.run.tell("usage", map[string]any{"prompt_tokens": counts.PromptTokens, "reply_tokens": counts.ReplyTokens, "thought_tokens": counts.ThoughtTokens,
		"cost": cost, "retries": retries, "served": d.remote.Served()})
	text := fmt.Sprintf("the endpoint counted %d tokens of questions and %d of replies, %d of these thoughts; %d requests were sent again",
		counts.PromptTokens, counts.ReplyTokens, counts.ThoughtTokens, retries)
	if r.PriceIn+r.PriceOut > 0 {
		text += fmt.Sprintf("; cost %.4f", cost)
	}
	d.out.note("%s", text)
	if served := d.remote.Served(); len(served) > 1 {
		d.out.note("the endpoint answered as %d models: %s", len(served), oneLine(strings.Join(served, ", ")))
	}
}
