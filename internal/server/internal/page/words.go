package page

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/retort-ml/retort/behaviour"
)

// wordSteps is how many steps are counted at most.
const wordSteps = 240

// words answers with how often the words of reflection stand in the samples, by step.
func (p *Page) words(_ http.ResponseWriter, r *http.Request) (any, error) {
	at, f, size, err := p.openSamples(r.URL.Query())
	if err != nil {
		return nil, err
	}
	defer at.close()
	answer := struct {
		Words  []string         `json:"words"`
		Steps  []int            `json:"steps"`
		Tokens []int            `json:"tokens"` // of the samples of each step
		Kept   []int            `json:"samples"`
		Counts map[string][]int `json:"counts"`
	}{Words: behaviour.KeywordNames[:], Steps: []int{}, Counts: map[string][]int{}}
	if f == nil {
		return answer, nil
	}
	defer func() { _ = f.Close() }() // it was only read
	first, last, err := stepSpan(f, size)
	if errors.Is(err, io.EOF) {
		return answer, nil
	}
	if err != nil {
		return nil, &fault{http.StatusUnprocessableEntity, "samples.jsonl is damaged: " + err.Error()}
	}
	stride := max(1, (last-first+wordSteps)/wordSteps)
	began := time.Now()
	for step := first; step <= last && time.Since(began) < 2*scanTime; step += stride {
		c, err := countWords(f, size, step, step+stride)
		if err != nil {
			return nil, &fault{http.StatusUnprocessableEntity, "samples.jsonl is damaged: " + err.Error()}
		}
		if c.kept == 0 {
			continue
		}
		answer.Steps, answer.Tokens, answer.Kept = append(answer.Steps, c.step), append(answer.Tokens, c.tokens), append(answer.Kept, c.kept)
		for i, name := range behaviour.KeywordNames {
			answer.Counts[name] = append(answer.Counts[name], c.words[i])
		}
	}
	return answer, nil
}

// wordCount is what the samples of one step hold.
type wordCount struct {
	step, tokens, kept int
	words              behaviour.Keywords
}

// countWords counts the words in the samples of the first step from one on that has any and comes before another.
func countWords(f *os.File, size int64, from, before int) (c wordCount, err error) {
	offset, err := seekStep(f, size, from)
	if err != nil {
		return c, err
	}
	err = eachLineFrom(f, size, offset, func(_ int64, line []byte) error {
		t, err := readTrained(line)
		if err != nil {
			return err
		}
		if c.kept > 0 && t.Step != c.step || t.Step >= before {
			return errEnough
		}
		for i, n := range behaviour.CountKeywords(t.Text) {
			c.words[i] += n
		}
		c.step, c.tokens, c.kept = t.Step, c.tokens+t.Length, c.kept+1
		return nil
	})
	return c, err
}
