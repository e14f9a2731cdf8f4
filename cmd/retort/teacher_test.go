package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/retort-ml/retort/distill"
	"github.com/retort-ml/retort/openai"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
)

// knowing is an endpoint of a model that knows every answer, and says it apart from its thought.
type knowing struct {
	*httptest.Server
	key  string
	wait time.Duration

	mu      sync.Mutex
	asked   map[string]int // by question and seed
	most    int            // of different requests that are answered; 0: no bound
	request openai.ChatRequest
}

func newKnowing(t *testing.T) *knowing {
	t.Helper()
	countdown := task.Registry["countdown-3"].(*task.Countdown)
	problems, err := countdown.Problems(task.Train, 0, 40)
	if err != nil {
		t.Fatal(err)
	}
	replies := map[string][2]string{}
	for _, p := range problems {
		solutions, err := countdown.Solutions(p)
		if err != nil {
			t.Fatal(err)
		}
		replies[p.Question] = [2]string{solutions[0].String() + " ok", "<answer>" + solutions[0].Expression() + "</answer>"}
	}
	k := &knowing{asked: map[string]int{}}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k.key != "" && r.Header.Get("Authorization") != "Bearer "+k.key {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"error":{"message":"no key"}}`)
			return
		}
		if r.URL.Path == "/v1/models" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"object":"list","data":[{"id":"wise","object":"model"}]}`)
			return
		}
		var asked openai.ChatRequest
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		question, _, _ := strings.Cut(asked.Messages[len(asked.Messages)-1].Content.String(), "\n")
		k.mu.Lock()
		k.asked[fmt.Sprint(question, "#", *asked.Seed)]++
		k.request = asked
		isTooMany := k.most > 0 && len(k.asked) > k.most
		k.mu.Unlock()
		if isTooMany {
			<-r.Context().Done()
			return
		}
		time.Sleep(k.wait)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, chunk := range []string{
			fmt.Sprintf(`{"choices":[{"index":0,"delta":{"reasoning":%q}}]}`, replies[question][0]),
			fmt.Sprintf(`{"choices":[{"index":0,"delta":{"content":%q},"finish_reason":"stop"}]}`, replies[question][1]),
			`{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}}`, "[DONE]"} {
			_, _ = fmt.Fprintf(w, "data: %s\n\n", chunk)
		}
	}))
	t.Cleanup(k.Close)
	return k
}

// bound has no more than so many different requests answered, those that were before included.
func (k *knowing) bound(most int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.most = most
}

// forget counts anew, and answers after a while.
func (k *knowing) forget(wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked, k.wait = map[string]int{}, wait
}

func (k *knowing) requests() (all, different int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range k.asked {
		all += n
	}
	return all, len(k.asked)
}

// taughtAt are the arguments of a distillation from an endpoint.
func taughtAt(url, folder string, more ...string) []string {
	arguments := []string{"distill", "--teacher", url, "--run", folder}
	for _, set := range append(append(smallShape, "model.max_positions=128", "model.seed=3", "task.problems=12", "held_out=20", "collect.samples=2",
		"collect.chunk_problems=6", "collect.filters.keep_duplicates=true", "steps=4", "batch_size=2", "optimizer.learning_rate=1e-2"), more...) {
		arguments = append(arguments, "--set", set)
	}
	return arguments
}

func TestDistillFromEndpoint(t *testing.T) {
	k := newKnowing(t)
	k.key = "sk-of-the-test-0123"
	t.Setenv("RETORT_TEST_KEY", k.key)
	folder := filepath.Join(t.TempDir(), "run")
	status, stdout, stderr := retort(t, t.Context(), append(taughtAt(k.URL, folder, "teacher.key_env=RETORT_TEST_KEY", "teacher.price_in=1", "teacher.price_out=2",
		"teacher.system=Think.", "teacher.instruction=One answer.", "collect.temperature=0.6", "collect.top_p=0.95", "collect.max_new_tokens=99"), "--json")...)
	if status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if all, different := k.requests(); all != 24 || different != 24 {
		t.Errorf("%d requests, %d different", all, different)
	}
	r := k.request
	if r.Model != "wise" || *r.Temperature != 0.6 || *r.TopP != 0.95 || *r.MaxTokens != 99 || r.Messages[0].Content.String() != "Think." || !strings.HasSuffix(r.Messages[1].Content.String(), ".\nOne answer.") {
		t.Errorf("asked %+v", r)
	}
	if !strings.Contains(stdout, `"cost":0.0012`) || !strings.Contains(stdout, `"reply_tokens":480`) { // 24 x (10 + 20 x 2) / 1e6
		t.Errorf("no usage in %s", stdout)
	}
	set, err := distill.ReadSetFile(filepath.Join(folder, "set.jsonl"))
	if err != nil || len(set.Records) != 24 {
		t.Fatalf("%d records, %v", len(set.Records), err)
	}
	for _, record := range set.Records {
		if p := record.Provenance; p.Teacher != "wise at "+k.URL || p.TopP != 0.95 || !strings.HasPrefix(record.Prompt, tokenizer.User+"Use ") || strings.Contains(record.Prompt, "One answer") || !strings.Contains(record.Completion, " ok\n</think>\n<answer>") {
			t.Errorf("record %+v", record)
		}
	}
	// the key is in no file of the run
	err = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(k.key)) {
			t.Errorf("%s holds the key", path)
		}
		return err
	})
	if err != nil || strings.Contains(stdout+stderr, k.key) {
		t.Errorf("the key was printed, or %v", err)
	}
	if !isFile(filepath.Join(folder, "model", "model.safetensors")) {
		t.Error("no model")
	}
	// with the set there, neither the endpoint nor its key is needed
	t.Setenv("RETORT_TEST_KEY", "")
	k.Close()
	if status, _, stderr := retort(t, t.Context(), "distill", "--resume", folder); status != exitDone {
		t.Errorf("resumed: status %d: %s", status, stderr)
	}
	if err := os.Remove(filepath.Join(folder, "set.jsonl")); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := retort(t, t.Context(), "distill", "--resume", folder); status != exitFailed || !strings.Contains(stderr, "RETORT_TEST_KEY is empty") {
		t.Errorf("resumed without a set: status %d: %s", status, stderr)
	}
}

func TestEncodeForeign(t *testing.T) {
	lab := tokenizer.Lab()
	const plain = "1+1 <b ok\n</think>\n<answer>2</answer>"
	if got := encodeForeign(lab, plain); !slices.Equal(got, lab.Encode(plain)) {
		t.Errorf("got %v, want %v", got, lab.Encode(plain))
	}
	got := encodeForeign(lab, "a"+tokenizer.End+"b</think>"+tokenizer.User)
	for _, mark := range []string{tokenizer.End, tokenizer.User} {
		if id, _ := lab.ID(mark); slices.Contains(got, id) {
			t.Errorf("%s is a token in %v", mark, got)
		}
	}
	if lab.Decode(got) != "a"+tokenizer.End+"b</think>"+tokenizer.User || len(encodeForeign(lab, "")) != 0 {
		t.Errorf("decoded %q", lab.Decode(got))
	}
}

// labTemplate renders what the lab's form renders.
const labTemplate = `{"eos_token":"<|end|>","chat_template":"{% for m in messages %}<|user|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"}`

// A student with a template of its own learns in it: the thought that the prompt opens is not opened twice, and its end is
// the token.
func TestDistillIntoATemplate(t *testing.T) {
	k := newKnowing(t)
	student := saveSmall(t, ".")
	if err := tokenizer.Lab().Save(filepath.Join(student, tokenizerFile)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(student, "tokenizer_config.json"), labTemplate)
	folder := filepath.Join(t.TempDir(), "run")
	arguments := []string{"distill", "--teacher", k.URL, "--run", folder}
	for _, set := range []string{"model.path=" + student, "task.problems=6", "held_out=20", "collect.samples=1", "steps=2", "batch_size=2"} {
		arguments = append(arguments, "--set", set)
	}
	if status, _, stderr := retort(t, t.Context(), arguments...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	set, err := distill.ReadSetFile(filepath.Join(folder, "set.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Records) != 6 || set.Records[0].Question == "" {
		t.Fatalf("set %+v", set)
	}
	s, err := openSpeaker(student, "")
	if err != nil {
		t.Fatal(err)
	}
	d := &distillation{recipe: &distillRecipe{}, tokenizer: s.tokenizer, student: s, out: &output{}}
	r := &set.Records[0]
	want := task.Prompt(r.Question) + r.Completion + tokenizer.End
	prompt := s.tokenizer.Encode(task.Prompt(r.Question))
	for _, form := range []string{r.Completion, "<think>\n" + r.Completion} {
		one := &distill.Set{Records: []distill.Record{{Question: r.Question, Completion: form}}}
		examples, err := d.examples(one)
		if err != nil {
			t.Fatal(err)
		}
		e := examples[0]
		thought, answer, _ := strings.Cut(r.Completion, tokenizer.EndThink)
		closing, _ := s.tokenizer.ID(tokenizer.EndThink)
		end, _ := s.tokenizer.ID(tokenizer.End)
		tokens := slices.Concat(prompt, s.tokenizer.EncodeText(thought), []int32{closing}, s.tokenizer.EncodeText(answer), []int32{end})
		if got := s.tokenizer.Decode(e.Tokens); got != want || !slices.Equal(e.Tokens, tokens) {
			t.Errorf("learned %q, want %q", got, want)
		}
		for i, learned := range e.Mask {
			if learned != (i >= len(prompt)) {
				t.Fatalf("token %d of %d is learned: %v", i, len(e.Mask), learned)
			}
		}
	}
}

// A teacher with a template is asked in it: where the template is the lab's form, the traces are those of the lab's form.
func TestDistillFromATemplate(t *testing.T) {
	teacher, root := smallTeacher(t), t.TempDir()
	plain, own := filepath.Join(root, "plain"), filepath.Join(root, "own")
	if status, _, stderr := retort(t, t.Context(), taughtBy(teacher, plain)...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	model, err := findModel(teacher)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(model, "tokenizer_config.json"), labTemplate)
	if status, _, stderr := retort(t, t.Context(), taughtBy(teacher, own)...); status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	a, errA := distill.ReadSetFile(filepath.Join(plain, "set.jsonl"))
	b, errB := distill.ReadSetFile(filepath.Join(own, "set.jsonl"))
	if err := errors.Join(errA, errB); err != nil || len(a.Records) == 0 || len(a.Records) != len(b.Records) {
		t.Fatalf("%d and %d records, %v", len(a.Records), len(b.Records), err)
	}
	for i := range a.Records {
		if p, o := &a.Records[i], &b.Records[i]; o.Question == "" || p.Prompt != task.Prompt(o.Question) || p.Completion != o.Completion+tokenizer.End || p.Provenance.Sample != o.Provenance.Sample {
			t.Errorf("record %d: %+v, %+v", i, p, o)
		}
	}
	// a new student is spoken to as its teacher
	if s, err := openSpeaker(own, ""); err != nil || !s.hasTemplate() {
		t.Errorf("the student has no template, %v", err)
	}
}

func TestTeacherRefuses(t *testing.T) {
	k := newKnowing(t)
	several := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"data":[{"id":"a"},{"id":"b\u001b[2J"}]}`)
	}))
	defer several.Close()
	folder := filepath.Join(t.TempDir(), "run")
	for want, arguments := range map[string][]string{
		`method: got "logits", which needs the teacher's distributions`: taughtAt(k.URL, folder, "method=logits"),
		"both set, want one teacher":                                    {"distill", "--set", "teacher.path=x", "--set", "teacher.url=" + k.URL},
		"the variable RETORT_NO_SUCH_KEY is empty":                      taughtAt(k.URL, folder, "teacher.key_env=RETORT_NO_SUCH_KEY"),
		"the endpoint has 2 models; try: --set teacher.name=NAME":       taughtAt(several.URL, folder),
		"collect.stop: got token ids":                                   taughtAt(k.URL, folder, "collect.stop=[1]"),
		`omit: got "n"`:                                                 taughtAt(k.URL, folder, "teacher.omit=[n]"),
		"want the key apart":                                            taughtAt("http://me:secret@localhost", folder),
		"the teacher's hash is":                                         taughtAt(k.URL, folder, "teacher.hash=0"),
		"top_p: got 2":                                                  taughtAt(k.URL, folder, "collect.top_p=2"),
		"want a teacher with a chat template":                           smallDistill(t, filepath.Join(t.TempDir(), "run"), "--set", "teacher.system=x"),
		"a sampler samples from the whole distribution":                 smallDistill(t, filepath.Join(t.TempDir(), "run"), "--set", "collect.top_p=0.5"),
	} {
		status, _, stderr := retort(t, t.Context(), arguments...)
		if status == exitDone || !strings.Contains(stderr, want) || strings.Contains(stderr, "\x1b[2J") || strings.Contains(stderr, "me:secret") {
			t.Errorf("%s: status %d %q", want, status, stderr)
		}
	}
	if _, different := k.requests(); different != 0 {
		t.Errorf("%d questions were asked", different)
	}
}

// A trace is put as the student's prompt wants it, and what it writes is text but for the marks of its thought.
func TestTraceFitsThePrompt(t *testing.T) {
	const thought = "1+1\n</think>\n\n2"
	for _, c := range []struct{ template, trace, want string }{
		{thinkTemplate, thought, "<|im|>q<|im|><think>\n[" + thought + "<|eot|>]"},
		{thinkTemplate, "2", "<|im|>q<|im|><think>\n[</think>\n\n2<|eot|>]"},
		{turnsTemplate, thought, "<|im|>user:q<|eot|><|im|>assistant:[<think>\n" + thought + "<|eot|>]"},
		{turnsTemplate, "2", "<|im|>user:q<|eot|><|im|>assistant:[2<|eot|>]"},
		{closedTemplate, thought, "<|im|>user:q<|eot|><|im|>assistant:<think></think>[2<|eot|>]"},
		{closedTemplate, "2", "<|im|>user:q<|eot|><|im|>assistant:<think></think>[2<|eot|>]"},
		{turnsTemplate, "a<|im|>b</think>c</think>", "<|im|>user:q<|eot|><|im|>assistant:[<think>\na<|im|>b</think>c</think><|eot|>]"},
	} {
		l := learnerOf(t, c.template, "all")
		l.fits = true
		got, err := l.sequences(&distill.Example{Messages: []distill.Message{{Role: "user", Content: "q"}, {Role: "assistant", Content: c.trace}}})
		if err != nil || len(got) != 1 || l.bracketed(got[0]) != c.want {
			t.Errorf("%q: %v, %v, want %q", c.trace, got, err, c.want)
			continue
		}
		n := 0 // marks of a turn among what is learned
		for i, id := range got[0].Tokens {
			if got[0].Learned[i] && id == 258 {
				n++
			}
		}
		if n != 0 {
			t.Errorf("%q: %d marks of turns came of text", c.trace, n)
		}
	}
}
