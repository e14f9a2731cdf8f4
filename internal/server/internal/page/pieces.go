package page

import (
	"sync"

	"github.com/retort-ml/retort/tokenizer"
)

// maxVocabulary is the most bytes of a run's tokenizer.json.
const maxVocabulary = 64 << 20

// vocabulary is the tokenizer of a run, opened when it is first wanted.
type vocabulary struct {
	once      sync.Once
	tokenizer *tokenizer.Tokenizer // nil: the run has none that can be read
}

// vocabularyOf opens the tokenizer that lies beside the run, or with its model. A run that has none yet is asked again later.
func (p *Page) vocabularyOf(at *place) *tokenizer.Tokenizer {
	for _, file := range []string{"tokenizer.json", "model/tokenizer.json"} {
		size, err := at.size(file, maxVocabulary)
		if err != nil || size == 0 {
			continue
		}
		v := p.vocabularies.get(at.name+"/"+file, func() *vocabulary { return &vocabulary{} })
		v.once.Do(func() {
			if text, err := at.read(file, maxVocabulary); err == nil {
				v.tokenizer, _ = tokenizer.Parse(text) // without it the values are shown beside the text
			}
		})
		if v.tokenizer != nil {
			return v.tokenizer
		}
	}
	return nil
}

// addPieces gives each sample that has values per token the texts of its tokens, which together are its text: a character that several tokens
// make stands with the last of them.
func (p *Page) addPieces(at *place, samples []trained) {
	for i := range samples {
		s := &samples[i]
		if len(s.Strips) == 0 {
			continue
		}
		t := p.vocabularyOf(at)
		if t == nil {
			return
		}
		decoder := t.NewDecoder()
		s.Pieces = make([]string, len(s.Tokens))
		for k, id := range s.Tokens {
			s.Pieces[k] = decoder.Push(id)
		}
		if rest := decoder.Flush(); rest != "" {
			s.Pieces[len(s.Pieces)-1] += rest
		}
	}
}
