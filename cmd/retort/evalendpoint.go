package main

import (
	"errors"
	"os"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/eval"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/openai"
)

// endpointFlags are the flags about an endpoint in place of a local model.
type endpointFlags struct {
	Endpoint          string   `name:"endpoint" placeholder:"URL" help:"Ask an OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1; --model is the name it has there."`
	KeyVariable       string   `name:"key-variable" placeholder:"NAME" help:"The environment variable that holds the endpoint's key; default: no key is sent."`
	Concurrency       int      `name:"concurrency" placeholder:"N" help:"Requests under way at a time; default 8."`
	RequestsPerMinute int      `name:"requests-per-minute" placeholder:"N" help:"The endpoint's limit; 0 is none."`
	TokensPerMinute   int      `name:"tokens-per-minute" placeholder:"N" help:"The endpoint's limit; 0 is none."`
	OpensThought      bool     `name:"opens-thought" help:"The endpoint's template opens the thought and leaves it in the text: a reply without a mark is then a thought that did not end."`
	Omit              []string `name:"omit" placeholder:"FIELD" help:"Fields that the endpoint refuses: temperature, top_p, seed, max_tokens, stop or stream_options."`
}

// plan notes in a plan what the flags say.
func (f *endpointFlags) plan(p *eval.Plan) error {
	if f.Endpoint == "" {
		if f.OpensThought || len(f.Omit) > 0 || f.KeyVariable != "" || f.Concurrency != 0 || f.RequestsPerMinute != 0 || f.TokensPerMinute != 0 {
			return errors.New("got flags about an endpoint without --endpoint")
		}
		return nil
	}
	if p.Model == "" {
		return errors.New("--endpoint needs --model, the model's name there")
	}
	if p.Tokenizer != "" {
		return errors.New("--tokenizer is of a local model; an endpoint has its own")
	}
	p.Endpoint, p.Omit = f.Endpoint, f.Omit
	if f.OpensThought {
		p.Thought = eval.ThoughtForced
	}
	return nil
}

// open makes the client of a plan's endpoint.
func (f *endpointFlags) open(p *eval.Plan) (*llm.Remote, error) {
	key := ""
	if f.KeyVariable != "" {
		if key = os.Getenv(f.KeyVariable); key == "" {
			return nil, usage(explain.Errorf("no-key", "--key-variable: %s is not set", f.KeyVariable), "")
		}
	}
	client, err := openai.New(&openai.Options{
		BaseURL: p.Endpoint, Key: openai.Secret(key), RequestsPerMinute: f.RequestsPerMinute, TokensPerMinute: f.TokensPerMinute,
	})
	if err != nil {
		return nil, usage(valueFault(err), "retort eval --help")
	}
	remote, err := llm.NewRemote(client, &llm.RemoteOptions{
		Model: p.Model, Concurrency: f.Concurrency, OpensThought: p.Thought == eval.ThoughtForced, Omit: p.Omit,
	})
	return remote, usage(valueFault(err), "retort eval --help")
}
