package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxTokens bounds the size of a vocabulary; the largest in use have some 260,000 tokens.
const maxTokens = 1 << 22

// definition is what a file says of a tokenizer, whatever its format.
type definition struct {
	keys         []string       // of the model's tokens, by id: the bytes' names, or a text that no word can be
	merges       [][2]int32     // in order of rank
	added        []addedToken   // in the order of the file
	silent       map[int32]bool // ids of the model that stand for nothing (padding of a GGUF)
	nfc          bool
	prefixSpace  bool
	ignoreMerges bool // a word that is a token is that token, whatever the merges give
	split        splitter
	before       []int32 // of a text, where the file wants them
	after        []int32
	gguf         ggufExtra
}

// build makes the tables of a definition. Added tokens either are tokens of the model or follow them.
func build(def definition) (*Tokenizer, error) {
	t := &Tokenizer{
		def: def, properties: properties(), words: make(map[string]int32, len(def.keys)),
		others: map[string]int32{}, addedIDs: map[string]int32{},
	}
	if err := t.addKeys(); err != nil {
		return nil, err
	}
	if err := t.addMerges(); err != nil {
		return nil, err
	}
	if err := t.addAdded(); err != nil {
		return nil, err
	}
	for _, id := range append(append([]int32(nil), def.before...), def.after...) {
		if id < 0 || int(id) >= t.Size() {
			return nil, fmt.Errorf("special tokens of a text: id %d, want 0 to %d", id, t.Size()-1)
		}
	}
	t.cache = newWordCache()
	return t, nil
}

// addKeys fills the texts and the words from the model's keys.
func (t *Tokenizer) addKeys() error {
	keys := t.def.keys
	t.texts = make([]string, len(keys))
	for id, key := range keys {
		if t.def.silent[int32(id)] {
			continue
		}
		if bytes, ok := bytesOfNames(key); ok {
			if first, ok := t.words[bytes]; ok {
				return fmt.Errorf("vocabulary: %.60q has the ids %d and %d", key, first, id)
			}
			t.texts[id], t.words[bytes] = bytes, int32(id)
			continue
		}
		if first, ok := t.others[key]; ok {
			return fmt.Errorf("vocabulary: %.60q has the ids %d and %d", key, first, id)
		}
		t.texts[id], t.others[key] = key, int32(id)
	}
	for b := range 256 {
		id, ok := t.words[string([]byte{byte(b)})]
		if !ok {
			return fmt.Errorf("vocabulary: no token for the byte 0x%02x, named %q", b, nameOfByte(byte(b)))
		}
		t.byteIDs[b] = id
	}
	return nil
}

// addMerges fills the table of merges.
func (t *Tokenizer) addMerges() error {
	t.merges = newMergeTable(len(t.def.merges))
	for rank, pair := range t.def.merges {
		whole := t.texts[pair[0]] + t.texts[pair[1]]
		id, ok := t.words[whole]
		if !ok {
			return fmt.Errorf("merges: merge %d gives %.60q, which is no token", rank, whole)
		}
		t.merges.set(pair[0], pair[1], merge{uint32(rank), id})
	}
	return nil
}

// addAdded fills the matchers.
func (t *Tokenizer) addAdded() error {
	var sets [2][]addedToken
	var patterns [2][]string
	seen := [2]map[string]bool{{}, {}}
	for i := range t.def.added {
		a := t.def.added[i]
		if err := t.place(&a); err != nil {
			return fmt.Errorf("added token %d: %w", a.id, err)
		}
		stage, pattern := 0, a.Text
		if a.Normalized {
			stage = 1
			if t.def.nfc {
				pattern = nfc(t.properties, pattern)
			}
		}
		if seen[stage][pattern] {
			return fmt.Errorf("added token %d: %.60q is there twice", a.id, pattern)
		}
		seen[stage][pattern] = true
		sets[stage], patterns[stage] = append(sets[stage], a), append(patterns[stage], pattern)
		if text, ok := bytesOfNames(pattern); ok {
			pattern = text
		}
		t.texts[a.id] = pattern // Hugging Face decodes the text that was matched, by the names of the bytes if it can
	}
	t.special = make([]bool, len(t.texts))
	for stage := range sets {
		t.added[stage] = newAddedSet(sets[stage], patterns[stage])
		for _, a := range sets[stage] {
			t.special[a.id] = a.Special
		}
	}
	return nil
}

// place checks an added token and gives it its id, which follows those before it unless the model has a token of that name.
func (t *Tokenizer) place(a *addedToken) error {
	switch {
	case len(a.Text) == 0 || len(a.Text) > maxAddedBytes:
		return fmt.Errorf("%.40q: %d bytes, want 1 to %d", a.Text, len(a.Text), maxAddedBytes)
	case !utf8.ValidString(a.Text):
		return fmt.Errorf("%q: not valid UTF-8", a.Text)
	}
	if first, ok := t.addedIDs[a.Text]; ok {
		return fmt.Errorf("%q is token %d already", a.Text, first)
	}
	want := int32(len(t.texts))
	if id, ok := t.modelID(a.Text); ok {
		want = id
	} else if len(t.texts) >= maxTokens {
		return errors.New("too many tokens")
	} else {
		t.texts = append(t.texts, "")
	}
	if a.id != want {
		return fmt.Errorf("%q: id %d, want %d", a.Text, a.id, want)
	}
	t.addedIDs[a.Text] = a.id
	return nil
}

// modelID returns the id of the model's token of that name.
func (t *Tokenizer) modelID(key string) (int32, bool) {
	if bytes, ok := bytesOfNames(key); ok {
		id, ok := t.words[bytes]
		return id, ok
	}
	id, ok := t.others[key]
	return id, ok
}
