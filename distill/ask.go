package distill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/task"
)

// preparePrompts makes the conversations of a Generator.
func (c *collector) preparePrompts(problems []task.Problem) {
	ask := c.setup.Ask
	if ask == nil {
		ask = func(p *task.Problem) []chat.Message { return []chat.Message{{Role: RoleUser, Content: p.Question}} }
	}
	c.prompts = make([]llm.Prompt, len(problems))
	for i := range problems {
		p := &problems[i]
		c.prompts[i] = llm.Prompt{Messages: ask(p), MaxTokens: c.options.MaxNewTokens, Temperature: float32(c.options.Temperature),
			TopP: float32(c.options.TopP), StopTokens: c.options.Stop, Seed: engine.Seed{Run: c.options.Seed, Problem: ProblemSeed(p.ID)}}
	}
}

// asking is a chunk whose traces come one by one.
type asking struct {
	*collector
	problems []task.Problem
	traces   []*Trace // by problem, then by sample; nil is missing
	journal  *journal // nil without a folder, or where all come at once
}

// ask asks a Generator for the traces of a chunk that an earlier beginning has not written down.
func (c *collector) ask(ctx context.Context, from int, problems []task.Problem) ([]*Trace, error) {
	a := &asking{collector: c, problems: problems, traces: make([]*Trace, len(problems)*c.options.Samples)}
	if _, streams := c.setup.Generator.(llm.Streamer); streams && c.folder != nil {
		var err error
		if a.journal, err = c.folder.openJournal(from, a.read); err != nil {
			return nil, err
		}
	}
	err := a.run(ctx, from)
	if a.journal != nil {
		err = errors.Join(err, a.journal.file.Close())
	}
	if err != nil {
		return nil, err
	}
	if c.folder == nil {
		return a.traces, nil
	}
	if err := c.folder.write(from, a.traces, false); err != nil {
		return nil, err
	}
	if a.journal != nil {
		return a.traces, os.Remove(a.journal.path)
	}
	return a.traces, nil
}

// run asks for all that is missing. Samples of one problem that stand side by side are one prompt.
func (a *asking) run(ctx context.Context, from int) error {
	samples := a.options.Samples
	var prompts []llm.Prompt
	var place []int // in traces, of each prompt's first sample
	for at := 0; at < len(a.traces); at++ {
		if a.traces[at] != nil {
			continue
		}
		if n := len(prompts); at%samples > 0 && a.traces[at-1] == nil && n > 0 {
			prompts[n-1].Samples++
			continue
		}
		p := a.prompts[from+at/samples]
		p.Samples, p.Seed.Sample = 1, uint64(at%samples)
		prompts, place = append(prompts, p), append(place, at)
	}
	if len(prompts) == 0 {
		return nil
	}
	take := func(r llm.Reply) error { return a.take(place[r.Prompt]+r.Sample, &r) }
	if s, ok := a.setup.Generator.(llm.Streamer); ok {
		if err := s.Each(ctx, prompts, take); err != nil {
			return a.named(err, prompts, place)
		}
	} else {
		replies, err := a.setup.Generator.Generate(ctx, prompts)
		if err != nil {
			return a.named(err, prompts, place)
		}
		for _, r := range replies {
			if err := take(r); err != nil {
				return err
			}
		}
	}
	for at, t := range a.traces {
		if t == nil {
			return fmt.Errorf("the generator gave no sample %d of problem %q", at%samples, a.problems[at/samples].ID)
		}
	}
	return nil
}

// named adds the problem to an error that names a request.
func (a *asking) named(err error, prompts []llm.Prompt, place []int) error {
	var refused *engine.RequestError
	if errors.As(err, &refused) && refused.Request < len(prompts) {
		return fmt.Errorf("problem %q: %w", a.problems[place[refused.Request]/a.options.Samples].ID, err)
	}
	return err
}

// take judges a reply and writes it down. The part of one that was cancelled is no trace.
func (a *asking) take(at int, r *llm.Reply) error {
	if r.Finish == engine.FinishCancelled {
		return nil
	}
	p := &a.problems[at/a.options.Samples]
	t := &Trace{Problem: p, Sample: at % a.options.Samples, Text: completionOf(r), Finished: r.Finish == engine.FinishStop,
		Counted: TokenCounts{r.PromptTokens, r.ReplyTokens, r.ThoughtTokens}}
	t.Tokens = a.setup.Tokenizer.Encode(t.Text)
	switch {
	case r.Finish == engine.FinishStop || r.Finish == engine.FinishLength:
		t.Verdict = a.judge(p, t.Text)
	case r.Err != nil:
		t.Failed = strings.ToValidUTF8(r.Err.Error(), "\ufffd")
	default:
		t.Failed = "the reply ended with " + string(r.Finish)
	}
	a.traces[at] = t
	if a.journal == nil {
		return nil
	}
	return a.journal.add(t)
}

// completionOf is a reply's text as it is learned and judged: behind an opened thought, without an opening mark; one that
// never ended has the mark, which says that it is a thought. Bytes that JSON cannot hold are replaced at once, so that a
// trace that was written down is the one that came.
func completionOf(r *llm.Reply) string {
	tags := chat.KnownTags[0]
	text := strings.ToValidUTF8(r.Text, "\ufffd")
	opened, isOpened := strings.CutPrefix(strings.TrimLeft(text, " \t\r\n"), tags.Open)
	switch closed := strings.Contains(text, tags.Close); {
	case closed && isOpened:
		return strings.TrimPrefix(opened, "\n")
	case !closed && !isOpened && r.Thought != "":
		return tags.Open + "\n" + text
	}
	return text
}

// read takes a trace that was written down before. A line of another problem is an error.
func (a *asking) read(l *traceLine) error {
	for i := range a.problems {
		if a.problems[i].ID != l.Problem {
			continue
		}
		if l.Sample < 0 || l.Sample >= a.options.Samples {
			break
		}
		a.traces[i*a.options.Samples+l.Sample] = l.trace(&a.problems[i], a.setup.Tokenizer)
		return nil
	}
	return fmt.Errorf("got sample %d of problem %q, which is not asked for; %s", l.Sample, l.Problem, again)
}

// journal is the file of a chunk that is not yet whole: a line for each trace, on disk before the next is asked for.
type journal struct {
	path string
	file *os.File
}

// openJournal opens or makes the journal of the chunk whose first problem has the index from, and gives each line of it to
// read. The rest of a line that was cut is removed.
func (f *traceFolder) openJournal(from int, read func(l *traceLine) error) (*journal, error) {
	path := f.chunkPath(from) + ".part"
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	whole := bytes.LastIndexByte(text, '\n') + 1
	if err == nil {
		err = eachLine(bytes.NewReader(text[:whole]), path, func(line []byte) error {
			var l traceLine
			if err := strictly(line, &l); err != nil {
				return fmt.Errorf("got %s, want a trace: %w; %s", clipped(line), err, again)
			}
			return read(&l)
		})
	}
	if err == nil {
		err = file.Truncate(int64(whole))
	}
	if err == nil {
		_, err = file.Seek(int64(whole), io.SeekStart)
	}
	if err == nil {
		err = syncFolder(f.path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &journal{path, file}, nil
}

// add writes a trace and waits until it is on disk: it may have cost more than the wait.
func (j *journal) add(t *Trace) error {
	var line bytes.Buffer
	if err := newLines(&line).Encode(newLine(t, false)); err != nil {
		return err
	}
	if _, err := j.file.Write(line.Bytes()); err != nil {
		return err
	}
	return j.file.Sync()
}
