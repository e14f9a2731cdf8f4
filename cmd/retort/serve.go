package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/internal/server"
	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/tensor"
)

// serveCommand answers requests over HTTP.
type serveCommand struct {
	inferenceFlags
	kvFlags
	Models       []string      `arg:"" optional:"" name:"model" help:"GGUF files, models' folders or runs, each as PATH or NAME=PATH; without one, the embedded model."`
	Tokenizer    string        `name:"tokenizer" complete:"tokenizer" placeholder:"NAME" help:"lab, bytes or a tokenizer.json, for all models; default: the one beside each."`
	Listen       string        `name:"listen" default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Where to listen; beyond loopback a key is needed. Port 0 is any free one."`
	KeyVariable  string        `name:"key-variable" placeholder:"NAME" help:"The environment variable that holds the key of the server."`
	KeyFile      string        `name:"key-file" type:"path" placeholder:"FILE" help:"A file with keys, one a line."`
	AllowHosts   []string      `name:"allow-host" placeholder:"NAME" help:"A name that the server is called by beside localhost; repeatable."`
	AllowOrigins []string      `name:"allow-origin" placeholder:"ORIGIN" help:"A foreign page that may use the server, such as https://chat.example; repeatable."`
	Strict       bool          `name:"strict" help:"Refuse request fields that no specification knows."`
	Slots        int           `name:"slots" default:"16" help:"Requests answered at once."`
	Queue        int           `name:"queue" default:"256" help:"Requests that may wait."`
	Context      int           `name:"context" help:"Most tokens of prompt and reply together; 0 is what the model knows and the cache holds."`
	Cache        float64       `name:"cache" variable:"RETORT_SERVE_CACHE" default:"1" placeholder:"GIB" help:"Memory for the keys and values of each model."`
	Memory       float64       `name:"memory" placeholder:"GIB" help:"Memory for all models together; those that nobody uses make room. 0 is what is free at the start."`
	Idle         time.Duration `name:"idle" default:"0s" help:"Unload a model after so long without a request; 0 never does."`
	Runs         string        `name:"runs" default:"runs" placeholder:"DIR" help:"The folder of runs that the page shows."`
	Chats        string        `name:"chats" placeholder:"DIR" help:"Where the page keeps conversations; default: retort/chats in the user's folder of configuration."`
	NoPage       bool          `name:"no-page" help:"The API alone, without the web page."`
	Verbose      bool          `name:"verbose" short:"v" help:"Print a line per request, without what was said."`
}

// serveEvent is the --json form of the first line.
type serveEvent struct {
	URL    string   `json:"url"`
	Models []string `json:"models"`
}

// shutdownTime is how long requests under way may take after Ctrl-C.
const shutdownTime = 10 * time.Second

// Run serves until it is interrupted.
func (c *serveCommand) Run(ctx context.Context, out *output) error {
	var keeping sync.WaitGroup
	defer keeping.Wait()
	o, err := c.options(out, func(p *model.Packed) { keeping.Go(c.keepPacked(ctx, out, p)) })
	if err != nil {
		return err
	}
	c.warn(out)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return advise(err, "--listen 127.0.0.1:0")
	}
	defer listener.Close()
	s, err := server.New(*o)
	if err != nil {
		return explain.With("bad-value", err)
	}
	if err := s.CheckAddress(listener.Addr()); err != nil {
		return errors.Join(explain.With("key-needed", err), s.Shutdown(ctx))
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	if err := c.announce(listener, o, out); err != nil {
		return err
	}
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return errors.Join(err, s.Shutdown(late))
}

// announce prints where the server is.
func (c *serveCommand) announce(l net.Listener, o *server.Options, out *output) error {
	e := serveEvent{URL: "http://" + l.Addr().String()}
	for _, m := range o.Models {
		e.Models = append(e.Models, m.ID)
	}
	out.result("%s is the page, %s/v1 serves %s; Ctrl-C ends it", e.URL, e.URL, strings.Join(e.Models, ", "))
	return out.event("serve", e)
}

// options are those of the server. keep is told of the packed weights of each model that is loaded.
func (c *serveCommand) options(out *output, keep func(*model.Packed)) (*server.Options, error) {
	for name, x := range map[string]float64{"slots": float64(c.Slots), "queue": float64(c.Queue)} {
		if x < 1 {
			return nil, usage(explain.Errorf("bad-value", "--%s: got %v, want at least 1", name, x), "")
		}
	}
	if !(c.Cache > 0 && c.Cache < 1<<20) || !(c.Memory >= 0 && c.Memory < 1<<20) || c.Context < 0 || c.Idle < 0 {
		return nil, usage(explain.Errorf("bad-value", "--cache wants more than 0 GiB, --memory, --context and --idle at least 0"), "")
	}
	o := &server.Options{
		Strict: c.Strict, AllowHosts: c.AllowHosts, AllowOrigins: c.AllowOrigins, Slots: c.Slots, Queue: c.Queue,
		Page: c.page(), Memory: int64(c.Memory * (1 << 30)), Idle: c.Idle, Version: readVersion().Version,
	}
	if c.Verbose {
		o.Log = slog.New(slog.NewTextHandler(out.std.err, nil))
	}
	var err error
	if o.Keys, err = c.keys(); err != nil {
		return nil, err
	}
	if len(c.Models) == 0 {
		if !tinymodel.Present() {
			return nil, explain.Errorf("no-embedded-model", "this build has no embedded model; try: retort serve MODEL")
		}
		own, err := c.embeddedSpec(keep)
		if err != nil {
			return nil, err
		}
		o.Models = []server.ModelSpec{own}
	}
	if o.Memory == 0 {
		o.Memory = freeMemory(os.ReadFile)
	}
	for _, argument := range c.Models {
		spec, err := c.spec(argument, out, keep)
		if err != nil {
			return nil, err
		}
		if o.Memory > 0 && spec.Bytes > o.Memory {
			return nil, advise(explain.Errorf("memory", "%s and its cache take %.2f GiB, and there are %.2f", argument, float64(spec.Bytes)/(1<<30), float64(o.Memory)/(1<<30)),
				"a smaller --cache, --kv f16, a smaller format, or a larger --memory")
		}
		o.Models = append(o.Models, spec)
	}
	return o, usage(valueFault(o.Validate()), "")
}

// page is what the web page shows.
func (c *serveCommand) page() *server.PageOptions {
	if c.NoPage {
		return nil
	}
	o := &server.PageOptions{Runs: c.Runs, Conversations: c.Chats}
	if folder, err := os.UserConfigDir(); err == nil && c.Chats == "" {
		o.Conversations = filepath.Join(folder, "retort", "chats")
	}
	return o
}

// keys reads the keys of the server.
func (c *serveCommand) keys() ([]openai.Secret, error) {
	var keys []openai.Secret
	if c.KeyVariable != "" {
		key := os.Getenv(c.KeyVariable)
		if key == "" {
			return nil, usage(explain.Errorf("no-key", "--key-variable: %s is not set", c.KeyVariable), "")
		}
		keys = append(keys, openai.Secret(key))
	}
	if c.KeyFile == "" {
		return keys, nil
	}
	text, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			keys = append(keys, openai.Secret(line))
		}
	}
	if len(keys) == 0 {
		return nil, explain.Errorf("no-key", "%s holds no key", c.KeyFile)
	}
	return keys, nil
}

// spec describes the model of an argument, which must be there, without loading it.
func (c *serveCommand) spec(argument string, out *output, keep func(*model.Packed)) (server.ModelSpec, error) {
	name, path, named := strings.Cut(argument, "=")
	if !named {
		path = argument
		name = strings.TrimSuffix(filepath.Base(filepath.Clean(path)), ".gguf")
	}
	found, err := findModel(path)
	if err != nil {
		return server.ModelSpec{}, err
	}
	files, err := openFiles(found)
	if err != nil {
		return server.ModelSpec{}, err
	}
	need, err := c.need(files)
	if err = errors.Join(err, files.Close()); err != nil {
		return server.ModelSpec{}, err
	}
	info, err := os.Stat(found)
	if err != nil {
		return server.ModelSpec{}, err
	}
	digest, err := digestOf(found)
	if err != nil {
		return server.ModelSpec{}, err
	}
	tellMemory(out, name+" needs", need)
	return server.ModelSpec{
		ID: name, Created: info.ModTime(), Digest: digest,
		Bytes: need.Total(),
		Open: func(context.Context) (*server.Model, error) {
			return c.ready(path, func() (*speaker, error) { return c.speaker(path, c.Tokenizer) }, keep)
		},
	}, nil
}

// digestOf names the state of a model's files: SHA-256 of the names, sizes and times of the file, or of those in the folder.
func digestOf(path string) (string, error) {
	h := sha256.New()
	add := func(name string, info fs.FileInfo) {
		fmt.Fprintf(h, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		add(filepath.Base(path), info)
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	list, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	for _, entry := range list {
		info, err := os.Stat(filepath.Join(path, entry.Name())) // through links: stores of others keep the bytes elsewhere
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		add(entry.Name(), info)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// embeddedSpec describes the model in the binary, whose digest is that of its bytes.
func (c *serveCommand) embeddedSpec(keep func(*model.Packed)) (server.ModelSpec, error) {
	h := sha256.New()
	for _, name := range []string{tinymodel.Config, tinymodel.Weights, tinymodel.Tokenizer} {
		data, err := fs.ReadFile(tinymodel.Files(), name)
		if err != nil {
			return server.ModelSpec{}, err
		}
		h.Write(data)
	}
	return server.ModelSpec{ID: "retort-lab", Bytes: 16 << 20, Digest: hex.EncodeToString(h.Sum(nil)),
		Open: func(context.Context) (*server.Model, error) { return c.ready("embedded", c.embedded, keep) }}, nil
}

// need is the memory that a model in files and an engine over it take.
func (c *serveCommand) need(files *model.Files) (engine.Memory, error) {
	cpu, err := c.computeFlags.open()
	if err != nil {
		return engine.Memory{}, err
	}
	defer cpu.Close()
	isQuantised, err := c.keepsQuantised(files)
	if err != nil {
		return engine.Memory{}, err
	}
	o, err := c.sizes(&files.Config, isQuantised)
	if err != nil {
		return engine.Memory{}, err
	}
	return c.measure(files, cpu, o)
}

// sizes is the format of keys and values of a model, and how many blocks of them it gets.
func (c *serveCommand) sizes(config *model.Config, isQuantised bool) (*engine.Options, error) {
	o := &engine.Options{KV: c.format(isQuantised)}
	format, err := config.KVFormat(o.KV)
	if err != nil {
		return nil, err
	}
	fit := int64(c.Cache*(1<<30)) / config.KVBlockBytes(format)
	o.Blocks = max(1, min(int(fit), 256*(config.MaxPositions/kernel.BlockTokens+1)))
	return o, nil
}

// ready loads a model.
func (c *serveCommand) ready(name string, open func() (*speaker, error), keep func(*model.Packed)) (*server.Model, error) {
	s, err := open()
	if err != nil {
		return nil, err
	}
	keep(s.packed)
	cpu, err := c.computeFlags.open()
	if err != nil {
		return nil, err
	}
	config := s.model.Config()
	sizes, err := c.sizes(&config, s.model.Quantised())
	if err != nil {
		cpu.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	e, err := engine.New(s.model, cpu, sizes)
	if err != nil {
		cpu.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m := &server.Model{
		Engine: e, Tokenizer: s.tokenizer, Chat: s.chat, Ends: s.stopTokens(), Context: min(config.MaxPositions, sizes.Blocks*kernel.BlockTokens+1),
		Fingerprint: fingerprint(s.model, sizes.KV), Family: family(config), Parameters: s.model.NumParameters(), Format: formatName(s.model), Grammars: llm.NewLocal(e, s.tokenizer),
		Close: func() error { return closeModel(cpu) },
	}
	if c.Context > 0 {
		m.Context = min(m.Context, max(2, c.Context))
	}
	if _, err := s.prompt(""); err == nil && !s.hasTemplate() {
		m.Ask = func(question string) chat.Prompt {
			p, _ := s.prompt(question) // it has just been seen to work for every text
			return p
		}
	}
	return m, nil
}

// formatName is how the products of a model are reckoned, as Ollama names formats.
func formatName(m *model.Model) string {
	switch most, isKept := m.KeptFormat(); {
	case isKept && (most == tensor.BF16 || most == tensor.F16):
		return most.String()
	case isKept:
		return "quantised"
	}
	return strings.ToUpper(m.Options().Compute)
}

// closeModel gives back what a model holds: the weights are garbage once the engine is.
func closeModel(cpu *compute.CPU) error {
	cpu.Close()
	debug.FreeOSMemory()
	return nil
}

// family is an architecture as Ollama names it.
func family(c model.Config) string { return strings.ToLower(fmt.Sprint(c.Architecture)) }

// fingerprint names what the bits of a reply depend on: build, kernels, the format of keys and values, shape, and some of the weights.
func fingerprint(m *model.Model, kv string) string {
	h := sha256.New()
	facts := readVersion()
	fmt.Fprintln(h, facts.Version, facts.Commit, facts.Level, facts.BF16, m.Options().Compute, kv)
	_ = json.NewEncoder(h).Encode(m.Config()) // a hash takes everything
	w := m.Weights()
	for i := 0; i < len(w); i += max(1, len(w)/4096) {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(w[i]))
		h.Write(b[:])
	}
	return "retort-" + hex.EncodeToString(h.Sum(nil)[:8])
}
