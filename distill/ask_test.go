package distill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/llm"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/verify"
)

// teacherServer is an endpoint whose replies are a function of question and seed, and that counts what it was asked.
type teacherServer struct {
	*httptest.Server
	wait  time.Duration
	fault func(w http.ResponseWriter, r *openai.ChatRequest) bool // answers itself; one call at a time

	mu    sync.Mutex
	asked map[string]int // by question and seed
	most  int            // of different requests that are answered; 0: no bound
}

func newTeacherServer(t *testing.T) *teacherServer {
	s := &teacherServer{asked: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *teacherServer) serve(w http.ResponseWriter, request *http.Request) {
	var r openai.ChatRequest
	if err := json.NewDecoder(request.Body).Decode(&r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := fmt.Sprintf("%s#%d", r.Messages[len(r.Messages)-1].Content, *r.Seed)
	s.mu.Lock()
	s.asked[key]++
	isTooMany := s.most > 0 && len(s.asked) > s.most
	answered := s.fault != nil && s.fault(w, &r)
	s.mu.Unlock()
	if answered {
		return
	}
	if isTooMany {
		<-request.Context().Done()
		return
	}
	time.Sleep(s.wait)
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"I think of %d\"}}]}\n\n", *r.Seed)
	_, _ = fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"<answer>%d</answer>\"},\"finish_reason\":\"stop\"}]}\n\n", *r.Seed%7)
	_, _ = fmt.Fprint(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":22,\"completion_tokens_details\":{\"reasoning_tokens\":13}}}\n\ndata: [DONE]\n\n")
}

func (s *teacherServer) requests() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, times := range s.asked {
		n += times
	}
	return n
}

var askOptions = CollectOptions{Samples: 3, MaxNewTokens: 100, TopP: 0.9, Seed: 5, ChunkProblems: 8, Filters: FilterOptions{ContaminationGram: -1}}

func askProblems() ([]task.Problem, error) {
	return task.Registry["countdown-3"].Problems(task.Train, 1, 24)
}

// askFrom collects from an endpoint.
func askFrom(ctx context.Context, folder, url string, o *CollectOptions, concurrency int) (*Set, *Counts, error) {
	problems, err := askProblems()
	if err != nil {
		return nil, nil, err
	}
	client, err := openai.New(&openai.Options{BaseURL: url, Retries: -1})
	if err != nil {
		return nil, nil, err
	}
	remote, err := llm.NewRemote(client, &llm.RemoteOptions{Model: "m", Concurrency: concurrency})
	if err != nil {
		return nil, nil, err
	}
	return Collect(ctx, &Setup{Generator: remote, Tokenizer: tokenizer.Lab(), Teacher: "m", TeacherHash: "h", Task: coin{}, Questions: true, Folder: folder,
		Ask: func(p *task.Problem) []chat.Message {
			return []chat.Message{{Role: "system", Content: "Think."}, {Role: "user", Content: p.Question}}
		}}, problems, o)
}

// askInto collects into a folder, with the set beside the traces.
func askInto(folder, url string) (*Set, *Counts, error) {
	set, counts, err := askFrom(context.Background(), filepath.Join(folder, "traces"), url, &askOptions, 4)
	if err != nil {
		return nil, nil, err
	}
	return set, counts, set.WriteFile(filepath.Join(folder, "set.jsonl"))
}

func TestAskAnEndpoint(t *testing.T) {
	s := newTeacherServer(t)
	folder := t.TempDir()
	set, counts, err := askInto(folder, s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.requests(); n != 72 || len(s.asked) != 72 {
		t.Errorf("%d requests, %d different ones; want 72", n, len(s.asked))
	}
	if counts.Sampled != 72 || counts.Right == 0 || counts.Wrong == 0 || counts.PromptTokens != 72*11 || counts.ReplyTokens != 72*22 || counts.ThoughtTokens != 72*13 || counts.Failed != 0 {
		t.Errorf("counts %+v", counts)
	}
	if len(set.Records) == 0 || len(set.Records) != counts.Kept {
		t.Fatalf("%d records, counts %+v", len(set.Records), counts)
	}
	for _, r := range set.Records {
		p := r.Provenance
		if r.Prompt != "" || !strings.HasPrefix(r.Question, "Use ") || p.TopP != 0.9 || p.PromptHash != hashText(r.Question) || p.Tokens != len(tokenizer.Lab().Encode(r.Completion)) {
			t.Errorf("record %+v", r)
		}
		var seed int64
		if _, err := fmt.Sscanf(r.Completion, "I think of %d", &seed); err != nil || r.Completion != fmt.Sprintf("I think of %d\n</think>\n<answer>%d</answer>", seed, seed%7) {
			t.Errorf("completion %q, %v", r.Completion, err)
		}
	}
	// the set is read again, by both readers
	again, err := ReadSetFile(filepath.Join(folder, "set.jsonl"))
	if err != nil || !slices.Equal(again.Records, set.Records) {
		t.Errorf("read again: %v", err)
	}
	examples, err := ReadExamplesFile(filepath.Join(folder, "set.jsonl"), nil)
	if err != nil || len(examples) != len(set.Records) || examples[0].Messages[1].Content != set.Records[0].Completion {
		t.Errorf("as examples: %+v, %v", examples, err)
	}
	// a second call asks nothing, however many are under way at a time; and other options are another collection
	if _, more, err := askInto(folder, s.URL); err != nil || s.requests() != 72 || more.Kept != counts.Kept || more.ReplyTokens != counts.ReplyTokens {
		t.Errorf("again: %d requests, %+v, %v", s.requests(), more, err)
	}
	other := askOptions
	other.TopP = 0.8
	if _, _, err := askFrom(t.Context(), filepath.Join(folder, "traces"), s.URL, &other, 4); !errors.Is(err, ErrOtherCollection) || !strings.Contains(err.Error(), "top_p") {
		t.Errorf("another top-p: %v", err)
	}
	problems, err := askProblems()
	if err != nil {
		t.Fatal(err)
	}
	resolved := askOptions.Resolved()
	for _, system := range []string{"Think.", "Think hard."} { // what is asked belongs to the collection
		c := &collector{setup: &Setup{Generator: fixed{}, Ask: func(p *task.Problem) []chat.Message {
			return []chat.Message{{Role: "system", Content: system}, {Role: "user", Content: p.Question}}
		}, Teacher: "m", TeacherHash: "h"}, options: resolved}
		c.preparePrompts(problems)
		_, err := openTraceFolder(filepath.Join(folder, "traces"), c.describe(problems))
		if (err == nil) != (system == "Think.") {
			t.Errorf("%s: %v", system, err)
		}
	}
	if parts, _ := filepath.Glob(filepath.Join(folder, "traces", "*.part")); len(parts) > 0 {
		t.Errorf("left behind: %v", parts)
	}
}

// What an endpoint refuses is counted apart and not asked again; what breaks the endpoint ends the call, and nothing that
// had come is lost.
func TestAskWithFaults(t *testing.T) {
	s := newTeacherServer(t)
	problems, err := askProblems()
	if err != nil {
		t.Fatal(err)
	}
	bad := problems[5].Question
	broken := true
	n := 0
	s.fault = func(w http.ResponseWriter, r *openai.ChatRequest) bool {
		switch n++; {
		case r.Messages[1].Content.String() == bad:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"error":{"message":"no such words here"}}`)
			return true
		case broken && n > 40:
			w.WriteHeader(http.StatusPaymentRequired)
			return true
		}
		return false
	}
	folder := t.TempDir()
	_, _, err = askFrom(t.Context(), folder, s.URL, &askOptions, 1)
	if err == nil || !strings.Contains(err.Error(), "402") {
		t.Fatalf("a broken endpoint: %v", err)
	}
	part, err := os.ReadFile(filepath.Join(folder, "traces-00000008.jsonl.part"))
	if err != nil || bytes.Count(part, []byte("\n")) != 40-24 {
		t.Fatalf("%d lines were written down, want 16: %v", bytes.Count(part, []byte("\n")), err)
	}
	// half a line, as a kill leaves it, is asked for again
	if err := os.WriteFile(filepath.Join(folder, "traces-00000008.jsonl.part"), part[:len(part)-10], 0o666); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	broken = false
	s.mu.Unlock()
	_, counts, err := askFrom(t.Context(), folder, s.URL, &askOptions, 4)
	if err != nil || counts.Failed != 3 || counts.Sampled != 69 {
		t.Fatalf("%+v, %v", counts, err)
	}
	if got := s.requests(); got != 72+2 { // the one that was refused for money, and the half line
		t.Errorf("%d requests, want 74", got)
	}
	table := counts.Table()
	if !slices.ContainsFunc(table, func(c Count) bool { return c.Name == "failed" && c.Number == 3 }) {
		t.Errorf("table %+v", table)
	}
	// a line of something else
	if err := os.Remove(filepath.Join(folder, "traces-00000016.jsonl")); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`{"problem":"x","sample":0,"text":"a"}`, `{"problem":"` + problems[17].ID + `","sample":3,"text":"a"}`, `{"other":1}`, "x"} {
		if err := os.WriteFile(filepath.Join(folder, "traces-00000016.jsonl.part"), []byte(line+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, err := askFrom(t.Context(), folder, s.URL, &askOptions, 4); err == nil || !strings.Contains(err.Error(), "traces-00000016.jsonl.part:1") || !strings.Contains(err.Error(), again) {
			t.Errorf("line %s: %v", line, err)
		}
	}
	// cancelled
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := askFrom(ctx, t.TempDir(), s.URL, &askOptions, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The rest of a line that was cut is gone before another is written.
func TestJournalIsCut(t *testing.T) {
	f := &traceFolder{t.TempDir()}
	path := f.chunkPath(3) + ".part"
	const line = `{"problem":"p","sample":0,"finished":true,"verdict":{"outcome":"right"},"text":"a"}` + "\n"
	if err := os.WriteFile(path, []byte(line+`{"problem":"`+strings.Repeat("x", 5000)), 0o666); err != nil {
		t.Fatal(err)
	}
	lines := 0
	j, err := f.openJournal(3, func(*traceLine) error { lines++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	err = j.add(&Trace{Problem: &task.Problem{ID: "p"}, Text: "a", Finished: true, Verdict: verify.Verdict{Outcome: verify.Right}})
	if err := errors.Join(err, j.file.Close()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != line+line || lines != 1 {
		t.Errorf("%d lines were read, and the file is %d bytes: %.200q, %v", lines, len(text), text, err)
	}
}

// written are the problems and samples whose traces are on disk.
func written(t *testing.T, folder string) map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "traces", "traces-*"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, ".tmp") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var l traceLine
			if strings.HasSuffix(line, "\n") && json.Unmarshal([]byte(line), &l) == nil {
				all[l.Text] = true
			}
		}
	}
	return all
}

// A process that asks an endpoint is killed again and again. No trace that was written down is asked for again, and the
// set is that of a calm process.
func TestKilledWhileAsking(t *testing.T) {
	s := newTeacherServer(t)
	calm, killed := t.TempDir(), t.TempDir()
	if _, _, err := askInto(calm, s.URL); err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s.mu.Lock()
	s.asked = map[string]int{}
	s.mu.Unlock()
	s.wait = 2 * time.Millisecond
	kept, kills := map[string]bool{}, 0
	for attempt := 0; attempt < 200; attempt++ {
		s.mu.Lock()
		before := len(s.asked)
		for key := range s.asked { // what is on disk must not be asked for from here on
			seed := key[strings.LastIndex(key, "#")+1:]
			for text := range kept {
				if strings.HasPrefix(text, "I think of "+seed+"\n") {
					s.asked[key] = -1000
				}
			}
		}
		s.mu.Unlock()
		more := 1 + random.IntN(20)
		s.mu.Lock()
		s.most = before + more + 8 // however late it is killed, it is killed midway
		s.mu.Unlock()
		process := exec.Command(os.Args[0], "ask", killed, s.URL)
		var said bytes.Buffer
		process.Stdout = &said
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- process.Wait() }()
		var err error
		for waiting := true; waiting; {
			select {
			case err = <-ended:
				waiting = false
			case <-time.After(time.Millisecond):
				s.mu.Lock()
				enough := len(s.asked) >= before+more
				s.mu.Unlock()
				if enough {
					time.Sleep(time.Duration(random.Int64N(int64(4 * time.Millisecond))))
					_ = process.Process.Kill() // it may have ended
					<-ended
					kills++
					waiting, err = false, errors.New("killed")
				}
			}
		}
		if said.Len() > 0 {
			t.Fatalf("the process said %s", said.String())
		}
		s.mu.Lock()
		for key, times := range s.asked {
			if times < 0 && times != -1000 {
				t.Errorf("%s was asked for again after it had been written down", key)
			}
		}
		s.mu.Unlock()
		kept = written(t, killed)
		if err == nil {
			break
		}
	}
	if kills < 2 || len(kept) == 0 {
		t.Fatalf("killed %d times, %d traces", kills, len(kept))
	}
	t.Logf("killed %d times", kills)
	for _, name := range []string{"set.jsonl", "traces/traces-00000000.jsonl", "traces/traces-00000016.jsonl", "traces/collection.json"} {
		a, errA := os.ReadFile(filepath.Join(calm, name))
		b, errB := os.ReadFile(filepath.Join(killed, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", name, errA, errB)
		}
	}
}

// fixed is a Generator that answers with what it was given, all at once.
type fixed struct{ replies []llm.Reply }

func (f fixed) Generate(_ context.Context, prompts []llm.Prompt) ([]llm.Reply, error) {
	var all []llm.Reply
	for i, p := range prompts {
		for sample := range p.Samples {
			r := f.replies[(len(all))%len(f.replies)]
			r.Prompt, r.Sample = i, sample
			all = append(all, r)
		}
	}
	return all, nil
}

func TestCompletions(t *testing.T) {
	problems, err := askProblems()
	if err != nil {
		t.Fatal(err)
	}
	stop := engine.FinishStop
	generator := fixed{[]llm.Reply{
		{Text: "<think>\n2+2\n</think>\n\n4", Thought: "2+2", Answer: "4", Finish: stop},
		{Text: "2+2\n</think>\n\n4", Thought: "2+2", Answer: "4", Finish: stop},
		{Text: "2+", Thought: "2+", Finish: engine.FinishLength},
		{Text: "<think>\n2+", Thought: "2+", Finish: engine.FinishLength},
		{Text: "4", Answer: "4", Finish: stop},
		{Text: "a\xff</think>b", Finish: stop},
		{Finish: llm.FinishTools},
		{Finish: llm.FinishRefusal, Err: errors.New("no")},
	}}
	var texts, failed []string
	folder := t.TempDir()
	for range 2 { // from the generator, and from the files
		texts, failed = nil, nil
		_, counts, err := Collect(t.Context(), &Setup{Generator: generator, Tokenizer: tokenizer.Lab(), TeacherHash: "h", Task: coin{}, Folder: folder,
			Observe: func(trace *Trace) {
				texts, failed = append(texts, trace.Text), append(failed, trace.Failed)
				if trace.Finished != (trace.Text != "" && !strings.HasSuffix(trace.Text, "+")) || len(trace.Tokens) != len(tokenizer.Lab().Encode(trace.Text)) {
					t.Errorf("trace %+v", trace)
				}
			}}, problems[:2], &CollectOptions{Samples: 4})
		if err != nil || counts.Failed != 2 || counts.Sampled != 6 {
			t.Errorf("counts %+v, %v", counts, err)
		}
		want := []string{"2+2\n</think>\n\n4", "2+2\n</think>\n\n4", "<think>\n2+", "<think>\n2+", "4", "a\ufffd</think>b", "", ""}
		if !slices.Equal(texts, want) || failed[6] != "the reply ended with tool_calls" || failed[7] != "no" {
			t.Errorf("texts %q, failed %q", texts, failed)
		}
	}
}

func TestRecordForms(t *testing.T) {
	for text, want := range map[string]Record{
		`{"prompt":"p","completion":"c","provenance":{"teacher":"t","teacher_hash":"h","problem":"x","prompt_hash":"","seed":0,"sample":0,"temperature":1,"verdict":{"outcome":"right"},"tokens":0}}`:                                                   {Prompt: "p", Completion: "c"},
		`{"messages":[{"role":"user","content":"<q>"},{"role":"assistant","content":"c"}],"provenance":{"teacher":"t","teacher_hash":"h","problem":"x","prompt_hash":"","seed":0,"sample":0,"temperature":1,"verdict":{"outcome":"right"},"tokens":0}}`: {Question: "<q>", Completion: "c"},
	} {
		want.Provenance = Provenance{Teacher: "t", TeacherHash: "h", Problem: "x", Temperature: 1, Verdict: verify.Verdict{Outcome: verify.Right}}
		var got Record
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		var again bytes.Buffer
		if err := (&Set{Records: []Record{got}}).Write(&again); err != nil || again.String() != text+"\n" {
			t.Errorf("written again: %s, %v; want %s", again.String(), err, text)
		}
	}
	for _, text := range []string{`{"messages":[{"role":"user","content":"q"}]}`, `{"prompt":"p","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"c"}]}`,
		`{"messages":[{"role":"assistant","content":"q"},{"role":"user","content":"c"}]}`, `{"other":1}`, `{"messages":[{"role":"user","content":""},{"role":"assistant","content":"c"}]}`} {
		var got Record
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}
