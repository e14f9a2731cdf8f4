package hub

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Reference names a model in a store: a repository of the hub, or an entry of
// Ollama's store. Exactly one of Repo and Ollama is set.
type Reference struct {
	Repo     string // ORG/NAME
	Revision string // a branch, a tag or a commit; "" is main
	Quant    string // such as Q4_K_M, or safetensors; "" is the one that is chosen by default
	Ollama   string // [HOST/][SPACE/]NAME:TAG
	Alias    string // the alias that stood for it; else ""
}

// Prefixes of references.
const (
	hubPrefix    = "hf:"
	ollamaPrefix = "ollama:"
)

// quantSafetensors asks for the model as its makers published it.
const quantSafetensors = "safetensors"

// String returns the text that [ParseReference] reads as r.
func (r Reference) String() string {
	if r.Ollama != "" {
		return ollamaPrefix + r.Ollama
	}
	text := hubPrefix + r.Repo
	if r.Revision != "" {
		text += "@" + r.Revision
	}
	if r.Quant != "" {
		text += ":" + r.Quant
	}
	return text
}

// distil is one of the six models that were distilled from DeepSeek-R1 (arXiv
// 2501.12948, section 2.4). They are Qwen2 and Llama models; DeepSeek-R1 itself
// is another, of 671 billion parameters.
type distil struct {
	name      string // as published, under deepseek-ai
	quantized string // the repository of its GGUF files
}

var distils = func() map[string]distil {
	m := map[string]distil{}
	for _, size := range []string{"Qwen-1.5B", "Qwen-7B", "Qwen-14B", "Qwen-32B", "Llama-8B", "Llama-70B"} {
		name := "DeepSeek-R1-Distill-" + size
		d := distil{"deepseek-ai/" + name, "unsloth/" + name + "-GGUF"}
		m[strings.ToLower(name)] = d
		m[strings.ToLower("R1-Distill-"+size)] = d
	}
	return m
}()

// defaultQuant is what an alias means without a format.
const defaultQuant = "Q4_K_M"

// Aliases returns the short names of published models, sorted.
func Aliases() []string { return slices.Sorted(maps.Keys(distils)) }

var (
	repoPattern     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$`)
	quantPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	ollamaPattern   = regexp.MustCompile(`^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,99}/){0,3}[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,99})?$`)
)

// ParseReference reads hf:ORG/NAME[@REVISION][:QUANT], ollama:NAME[:TAG], or an
// alias with or without :QUANT. Another text is an error; see [Resolve] for
// paths and bare names.
func ParseReference(text string) (Reference, error) {
	if rest, ok := strings.CutPrefix(text, ollamaPrefix); ok {
		return parseOllama(rest)
	}
	if rest, ok := strings.CutPrefix(text, hubPrefix); ok {
		return parseRepo(rest)
	}
	if r, ok, err := parseAlias(text); ok || err != nil {
		return r, err
	}
	return Reference{}, fmt.Errorf("hub: %.200q: want hf:ORG/NAME[:QUANT], ollama:NAME[:TAG], or one of %s", text, strings.Join(Aliases(), ", "))
}

func parseOllama(name string) (Reference, error) {
	if !ollamaPattern.MatchString(name) || strings.Contains(name, "..") {
		return Reference{}, fmt.Errorf("hub: ollama:%.200s: want ollama:NAME[:TAG]", name)
	}
	if last := name[strings.LastIndexByte(name, '/')+1:]; !strings.Contains(last, ":") {
		name += ":latest"
	}
	return Reference{Ollama: name}, nil
}

func parseRepo(text string) (Reference, error) {
	var r Reference
	rest, quant, hasQuant := strings.Cut(text, ":")
	repo, revision, hasRevision := strings.Cut(rest, "@")
	switch {
	case !repoPattern.MatchString(repo) || strings.Contains(repo, "--") || strings.Contains(repo, ".."):
		return r, fmt.Errorf("hub: hf:%.200s: want hf:ORG/NAME[@REVISION][:QUANT]", text)
	case hasRevision && (!revisionPattern.MatchString(revision) || strings.Contains(revision, "..") || strings.Contains(revision, "//")):
		return r, fmt.Errorf("hub: hf:%.200s: revision %.100q: want a branch, a tag or a commit", text, revision)
	case hasQuant && !quantPattern.MatchString(quant):
		return r, fmt.Errorf("hub: hf:%.200s: format %.100q: want one such as Q4_K_M", text, quant)
	}
	return Reference{Repo: repo, Revision: revision, Quant: quant}, nil
}

// parseAlias says whether the text is an alias.
func parseAlias(text string) (r Reference, ok bool, err error) {
	name, quant, hasQuant := strings.Cut(text, ":")
	d, ok := distils[strings.ToLower(name)]
	if !ok {
		return Reference{}, false, nil
	}
	r = Reference{Repo: d.quantized, Quant: defaultQuant, Alias: strings.ToLower(name)}
	switch {
	case !hasQuant:
	case !quantPattern.MatchString(quant):
		return r, true, fmt.Errorf("hub: %.200s: format %.100q: want one such as Q4_K_M", text, quant)
	case strings.EqualFold(quant, quantSafetensors):
		r.Repo, r.Quant = d.name, quantSafetensors
	default:
		r.Quant = quant
	}
	return r, true, nil
}
