package tokenizer

import (
	"errors"
	"fmt"
	"slices"
)

// The types of tokens in a GGUF (tokenizer.ggml.token_type; llama.cpp, llama_token_type).
const (
	ggufNormal      = 1
	ggufUnknown     = 2
	ggufControl     = 3
	ggufUserDefined = 4
	ggufUnused      = 5
)

// GGUFVocabulary is what the metadata of a GGUF file say of its tokenizer; the key of each field is behind it. A nil
// pointer is a key that is not there.
type GGUFVocabulary struct {
	Model   string   // tokenizer.ggml.model: "gpt2" for byte-level BPE
	Pre     string   // tokenizer.ggml.pre: which scanner
	Tokens  []string // tokenizer.ggml.tokens [V]: the names of the bytes, or the text of a special token
	Types   []int32  // tokenizer.ggml.token_type [V], or empty: all normal
	Merges  []string // tokenizer.ggml.merges: "a b", in order of rank
	BOS     *int32   // tokenizer.ggml.bos_token_id: begins a sequence
	EOS     *int32   // tokenizer.ggml.eos_token_id: ends a sequence
	EOT     *int32   // tokenizer.ggml.eot_token_id: ends a turn
	Padding *int32   // tokenizer.ggml.padding_token_id
	AddBOS  *bool    // tokenizer.ggml.add_bos_token; nil: what llama.cpp takes for Pre
	AddEOS  *bool    // tokenizer.ggml.add_eos_token; nil: false
	// AddSpacePrefix is tokenizer.ggml.add_space_prefix: a space before the text, if there is none.
	AddSpacePrefix bool
}

// ggufPre is what a name in tokenizer.ggml.pre stands for. The file does not say whether its tokenizer normalises or
// ignores merges; that follows from the tokenizer.json of the models of that name.
type ggufPre struct {
	split                     splitter
	nfc, ignoreMerges, addBOS bool
}

// ggufPres has the names for which llama.cpp (llama-vocab.cpp) uses the same regex and options.
var ggufPres = map[string]ggufPre{
	"gpt-2":            {split: splitGPT2},
	"phi-2":            {split: splitGPT2},
	"qwen2":            {split: splitQwen2, nfc: true},
	"deepseek-r1-qwen": {split: splitQwen2, nfc: true},
	"megrez":           {split: splitQwen2, nfc: true},
	"llama-bpe":        {split: splitLlama3, ignoreMerges: true, addBOS: true},
	"llama3":           {split: splitLlama3, ignoreMerges: true, addBOS: true},
	"llama-v3":         {split: splitLlama3, ignoreMerges: true, addBOS: true},
	"smaug-bpe":        {split: splitLlama3},
}

// ggufPreferred are the names that GGUF gives, the first that fits.
var ggufPreferred = []string{"gpt-2", "qwen2", "llama-bpe", "smaug-bpe"}

// ggufExtra is what a Tokenizer keeps of a GGUF only to give it back.
type ggufExtra struct {
	pre                string
	bos, eos, eot, pad *int32
	unused             []string // names of the unused tokens at the end, which have no ids here
}

func clone(id *int32) *int32 {
	if id == nil {
		return nil
	}
	copied := *id
	return &copied
}

// FromGGUF returns the tokenizer of a GGUF's metadata. Control tokens are special; tokens that are unused stand for
// nothing, and those at the end have no ids.
func FromGGUF(v GGUFVocabulary) (*Tokenizer, error) {
	def, err := v.definition()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: gguf: %w", err)
	}
	t, err := build(def)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: gguf: %w", err)
	}
	return t, nil
}

func (v *GGUFVocabulary) definition() (def definition, err error) {
	if v.Model != "gpt2" {
		return def, fmt.Errorf("tokenizer.ggml.model: got %.40q, want \"gpt2\"", v.Model)
	}
	pre, ok := ggufPres[v.Pre]
	if !ok {
		return def, fmt.Errorf("tokenizer.ggml.pre: unknown name %.40q: only those of GPT-2, Qwen2 and Llama 3 have a scanner", v.Pre)
	}
	if len(v.Tokens) > maxTokens {
		return def, fmt.Errorf("tokenizer.ggml.tokens: %d, want at most %d", len(v.Tokens), maxTokens)
	}
	if len(v.Types) != 0 && len(v.Types) != len(v.Tokens) {
		return def, fmt.Errorf("tokenizer.ggml.token_type: %d types of %d tokens", len(v.Types), len(v.Tokens))
	}
	def = definition{
		split: pre.split, nfc: pre.nfc, ignoreMerges: pre.ignoreMerges, prefixSpace: v.AddSpacePrefix, silent: map[int32]bool{},
		gguf: ggufExtra{pre: v.Pre, bos: clone(v.BOS), eos: clone(v.EOS), eot: clone(v.EOT), pad: clone(v.Padding)},
	}
	if err := v.splitTokens(&def); err != nil {
		return def, err
	}
	if err := v.affixes(&def, pre.addBOS); err != nil {
		return def, err
	}
	pairs, err := splitMerges(v.Merges, false)
	if err != nil {
		return def, err
	}
	ids := make(map[string]int32, len(def.keys))
	for id, key := range def.keys {
		if v.kind(id) == ggufNormal {
			ids[key] = int32(id)
		}
	}
	def.merges, err = mergeIDs(pairs, func(key string) (int32, bool) {
		id, ok := ids[key]
		return id, ok
	})
	return def, err
}

func (v *GGUFVocabulary) kind(id int) int32 {
	if len(v.Types) == 0 {
		return ggufNormal
	}
	return v.Types[id]
}

// splitTokens divides the tokens: the model's, up to the last normal one, then added ones, then unused ones.
func (v *GGUFVocabulary) splitTokens(def *definition) error {
	end := len(v.Tokens)
	for end > 0 && v.kind(end-1) == ggufUnused {
		end--
	}
	def.gguf.unused = v.Tokens[end:]
	model := end
	for model > 0 && (v.kind(model-1) == ggufControl || v.kind(model-1) == ggufUserDefined || v.kind(model-1) == ggufUnknown) {
		model--
	}
	def.keys = v.Tokens[:model]
	for id, text := range v.Tokens[:end] {
		switch kind := v.kind(id); kind {
		case ggufNormal:
		case ggufControl, ggufUnknown, ggufUserDefined:
			def.added = append(def.added, addedToken{Added{Text: text, Special: kind != ggufUserDefined}, int32(id)})
		case ggufUnused:
			def.silent[int32(id)] = true
		default:
			return fmt.Errorf("tokenizer.ggml.token_type: token %d has the type %d, want 1 to 5", id, kind)
		}
	}
	return nil
}

// affixes reads which special tokens go around a text.
func (v *GGUFVocabulary) affixes(def *definition, addBOS bool) error {
	if v.AddBOS != nil {
		addBOS = *v.AddBOS
	}
	if addBOS && v.BOS == nil && v.AddBOS == nil {
		return fmt.Errorf("tokenizer.ggml.bos_token_id: want one, because texts of %q begin with it", v.Pre)
	}
	if addBOS && v.BOS == nil || v.AddEOS != nil && *v.AddEOS && v.EOS == nil {
		return errors.New("tokenizer.ggml.add_bos_token or add_eos_token is true, but that token has no id")
	}
	if addBOS {
		def.before = []int32{*v.BOS}
	}
	if v.AddEOS != nil && *v.AddEOS {
		def.after = []int32{*v.EOS}
	}
	return nil
}

// GGUF returns the metadata that FromGGUF makes the same tokenizer of, or an error if the format has no word for one of its
// rules. BOS and EOS are known where the tokenizer came from a GGUF or puts them around a text; else whoever writes the
// file adds them. The slices are the caller's.
func (t *Tokenizer) GGUF() (GGUFVocabulary, error) {
	pre, err := t.ggufPre()
	if err != nil {
		return GGUFVocabulary{}, fmt.Errorf("tokenizer: gguf: %w", err)
	}
	v := GGUFVocabulary{
		Model: "gpt2", Pre: pre, AddSpacePrefix: t.def.prefixSpace,
		BOS: clone(t.def.gguf.bos), EOS: clone(t.def.gguf.eos), EOT: clone(t.def.gguf.eot), Padding: clone(t.def.gguf.pad),
	}
	if len(t.def.before) > 1 || len(t.def.after) > 1 {
		return v, fmt.Errorf("tokenizer: gguf: %d tokens before a text and %d behind it, want at most 1", len(t.def.before), len(t.def.after))
	}
	addBOS, addEOS := len(t.def.before) == 1, len(t.def.after) == 1
	v.AddBOS, v.AddEOS = &addBOS, &addEOS
	before, after := t.Affixes()
	if addBOS {
		v.BOS = &before[0]
	}
	if addEOS {
		v.EOS = &after[0]
	}
	v.Tokens = append(make([]string, 0, t.Size()+len(t.def.gguf.unused)), t.def.keys...)
	v.Tokens = append(append(v.Tokens, make([]string, t.Size()-len(t.def.keys))...), t.def.gguf.unused...)
	v.Types = slices.Repeat([]int32{ggufNormal}, len(v.Tokens))
	for id := range v.Types {
		if t.def.silent[int32(id)] || id >= t.Size() {
			v.Types[id] = ggufUnused
		}
	}
	for _, a := range t.def.added {
		if a.LStrip || a.RStrip || a.SingleWord {
			return v, fmt.Errorf("tokenizer: gguf: added token %q: lstrip, rstrip and single_word cannot be written", a.Text)
		}
		v.Tokens[a.id], v.Types[a.id] = a.Text, ggufUserDefined
		if a.Special {
			v.Types[a.id] = ggufControl
		}
	}
	v.Merges = make([]string, len(t.def.merges))
	for i, pair := range t.def.merges {
		v.Merges[i] = t.def.keys[pair[0]] + " " + t.def.keys[pair[1]]
	}
	return v, nil
}

// ggufPre returns the name for tokenizer.ggml.pre.
func (t *Tokenizer) ggufPre() (string, error) {
	if t.def.gguf.pre != "" {
		return t.def.gguf.pre, nil
	}
	for _, name := range ggufPreferred {
		pre := ggufPres[name]
		if len(t.def.merges) == 0 && !t.def.ignoreMerges { // no cut between words is seen
			pre.split = t.def.split
		}
		if pre.split == t.def.split && pre.nfc == t.def.nfc && pre.ignoreMerges == t.def.ignoreMerges {
			return name, nil
		}
	}
	return "", fmt.Errorf("no name in tokenizer.ggml.pre for this regex with NFC %v, ignore_merges %v", t.def.nfc, t.def.ignoreMerges)
}
