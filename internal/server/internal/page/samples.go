package page

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// The bounds of a look at samples.
const (
	maxStepSamples = 4096
	maxStepBytes   = 24 << 20
	maxFound       = 50
	scanTime       = 1500 * time.Millisecond
)

// trained is a line of a training run's samples. Lists of numbers as long as Tokens are values per token, whatever their name.
type trained struct {
	Step      int                        `json:"step"`
	Problem   uint64                     `json:"problem"`
	Request   uint64                     `json:"request"`
	Index     int                        `json:"index"`
	Verdict   string                     `json:"verdict"`
	Reason    string                     `json:"reason,omitempty"`
	Formed    bool                       `json:"well_formed"`
	Accuracy  float64                    `json:"accuracy"`
	Format    float64                    `json:"format"`
	Other     float64                    `json:"other,omitempty"`
	Parts     map[string]float64         `json:"parts,omitempty"`
	Advantage float64                    `json:"advantage"`
	Truncated bool                       `json:"truncated,omitempty"`
	Masked    bool                       `json:"masked,omitempty"`
	Resampled bool                       `json:"resampled,omitempty"`
	LogProb   float64                    `json:"logprob"`
	Tokens    []int32                    `json:"-"`
	Text      string                     `json:"text"`
	Length    int                        `json:"length"`
	Strips    map[string]json.RawMessage `json:"strips,omitempty"`
	Turns     json.RawMessage            `json:"turns,omitempty"`  // reflections that were tested
	Pieces    []string                   `json:"pieces,omitempty"` // the texts of the tokens, of a sample with strips
}

// readTrained reads a line.
func readTrained(line []byte) (trained, error) {
	var t trained
	if err := json.Unmarshal(line, &t); err != nil {
		return t, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(line, &all); err != nil {
		return t, err
	}
	_ = json.Unmarshal(all["tokens"], &t.Tokens) // a sample without tokens has a length of 0
	t.Length, t.Strips = len(t.Tokens), nil
	for name, raw := range all {
		if name == "tokens" || len(raw) == 0 || raw[0] != '[' || t.Length == 0 {
			continue
		}
		var values []float64
		if json.Unmarshal(raw, &values) == nil && len(values) == t.Length {
			if t.Strips == nil {
				t.Strips = map[string]json.RawMessage{}
			}
			t.Strips[name] = raw
		}
	}
	return t, nil
}

// openSamples opens the samples of a training run; nil without an error if it has none.
func (p *Page) openSamples(q url.Values) (*place, *os.File, int64, error) {
	at, err := openPlace(p.options.Runs, q.Get("run"))
	if err != nil {
		return nil, nil, 0, err
	}
	f, size, err := at.open("samples.jsonl", 64*maxRecords)
	if errors.Is(err, fs.ErrNotExist) {
		err, size = nil, 0
	}
	if err != nil {
		at.close()
		return nil, nil, 0, &fault{http.StatusUnprocessableEntity, err.Error()}
	}
	return at, f, size, nil
}

// samples answers with the samples of the first step from ?step on that has any; with none, of the last step.
func (p *Page) samples(_ http.ResponseWriter, r *http.Request) (any, error) {
	q := r.URL.Query()
	at, f, size, err := p.openSamples(q)
	if err != nil {
		return nil, err
	}
	defer at.close()
	answer := struct {
		Step    int       `json:"step"`
		First   int       `json:"first"`
		Last    int       `json:"last"`
		IsCut   bool      `json:"is_cut,omitempty"`
		Samples []trained `json:"samples"`
	}{Samples: []trained{}}
	if f == nil {
		return answer, nil
	}
	defer func() { _ = f.Close() }() // it was only read
	answer.First, answer.Last, err = stepSpan(f, size)
	if errors.Is(err, io.EOF) {
		return answer, nil
	}
	if err != nil {
		return nil, &fault{http.StatusUnprocessableEntity, "samples.jsonl is damaged: " + err.Error()}
	}
	step, err := whole(q, "step", int64(answer.Last), 0, 1<<40)
	if err != nil {
		return nil, err
	}
	offset, err := seekStep(f, size, min(int(step), answer.Last))
	if err != nil {
		return nil, &fault{http.StatusUnprocessableEntity, "samples.jsonl is damaged: " + err.Error()}
	}
	bytes := 0
	answer.Step = -1
	err = eachLineFrom(f, size, offset, func(_ int64, line []byte) error {
		t, err := readTrained(line)
		if err != nil {
			return err
		}
		if answer.Step >= 0 && t.Step != answer.Step {
			return errEnough
		}
		answer.Step = t.Step
		bytes += len(line)
		if len(answer.Samples) >= maxStepSamples || bytes > maxStepBytes {
			answer.IsCut = true
			return errEnough
		}
		answer.Samples = append(answer.Samples, t)
		return nil
	})
	if err != nil {
		return nil, &fault{http.StatusUnprocessableEntity, "samples.jsonl is damaged: " + err.Error()}
	}
	p.addPieces(at, answer.Samples)
	return answer, nil
}

// sampleFilter is what is looked for among samples.
type sampleFilter struct {
	verdict   string
	text      string
	shortest  int // in tokens
	longest   int
	truncated bool
	formed    string // "", yes or no
	problem   string
}

func readFilter(q url.Values) (sampleFilter, error) {
	f := sampleFilter{verdict: q.Get("verdict"), text: q.Get("text"), truncated: q.Get("truncated") != "", formed: q.Get("formed"), problem: q.Get("problem")}
	shortest, err := whole(q, "shortest", 0, 0, 1<<40)
	if err != nil {
		return f, err
	}
	longest, err := whole(q, "longest", 1<<40, 0, 1<<40)
	f.shortest, f.longest = int(shortest), int(longest)
	return f, err
}

func (f *sampleFilter) takes(t *trained) bool {
	switch {
	case f.verdict != "" && t.Verdict != f.verdict, t.Length < f.shortest, t.Length > f.longest, f.truncated && !t.Truncated,
		f.formed == "yes" && !t.Formed, f.formed == "no" && t.Formed, f.text != "" && !strings.Contains(t.Text, f.text):
		return false
	case f.problem != "":
		text, err := json.Marshal(t.Problem)
		return err == nil && string(text) == f.problem
	}
	return true
}

// findSamples answers with the samples that a filter takes, from ?at (an offset that an earlier answer gave) on: at most maxFound, and for at
// most scanTime.
func (p *Page) findSamples(_ http.ResponseWriter, r *http.Request) (any, error) {
	q := r.URL.Query()
	filter, err := readFilter(q)
	if err != nil {
		return nil, err
	}
	from, err := whole(q, "at", 0, 0, 1<<50)
	if err != nil {
		return nil, err
	}
	at, f, size, err := p.openSamples(q)
	if err != nil {
		return nil, err
	}
	defer at.close()
	answer := struct {
		Samples []trained `json:"samples"`
		Next    int64     `json:"next"` // where to go on, 0 at the end
		Step    int       `json:"step"` // the last one that was looked at
		Share   float64   `json:"share"`
	}{Samples: []trained{}, Share: 1}
	if f == nil {
		return answer, nil
	}
	defer func() { _ = f.Close() }() // it was only read
	began := time.Now()
	err = eachLineFrom(f, size, from, func(begins int64, line []byte) error {
		if len(answer.Samples) >= maxFound || time.Since(began) > scanTime {
			answer.Next, answer.Share = begins, float64(begins)/float64(size)
			return errEnough
		}
		t, err := readTrained(line)
		if err != nil {
			return err
		}
		answer.Step = t.Step
		if filter.takes(&t) {
			answer.Samples = append(answer.Samples, t)
		}
		return nil
	})
	if err != nil {
		return nil, &fault{http.StatusUnprocessableEntity, "samples.jsonl is damaged: " + err.Error()}
	}
	return answer, nil
}
