package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/retort-ml/retort/chat"
	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

// question is one that the embedded model knows.
const question = "Use 3, 7, 11 to make 32."

// embedded opens the model of the lab.
func embedded(context.Context) (*Model, error) { return embeddedOf(0) }

// embeddedOf opens it with more positions than it has learnt, if any are given: what it says there is nothing, and takes as long.
func embeddedOf(positions int) (*Model, error) {
	var data [3][]byte
	for i, name := range []string{tinymodel.Config, tinymodel.Weights, tinymodel.Tokenizer} {
		var err error
		if data[i], err = fs.ReadFile(tinymodel.Files(), name); err != nil {
			return nil, err
		}
	}
	config, err := model.ParseConfig(data[0])
	if err != nil {
		return nil, err
	}
	config.MaxPositions = max(config.MaxPositions, positions)
	file, err := weights.Parse("embedded model", data[1])
	if err != nil {
		return nil, err
	}
	defer file.Close()
	m, err := model.Load(config, file)
	if err != nil {
		return nil, err
	}
	t, err := tokenizer.Parse(data[2])
	if err != nil {
		return nil, err
	}
	return ready(m, t, nil)
}

// ready makes a model that can be served.
func ready(m *model.Model, t *tokenizer.Tokenizer, template *chat.Config) (*Model, error) {
	cpu := compute.NewCPU(2)
	e, err := engine.New(m, cpu, &engine.Options{Blocks: 2048})
	if err != nil {
		return nil, err
	}
	end, _ := t.ID(tokenizer.End)
	s := &Model{
		Engine: e, Tokenizer: t, Chat: template, Ends: []int32{end}, Context: m.Config().MaxPositions, Fingerprint: "test",
		Family: "qwen2", Parameters: m.NumParameters(), Format: "F32",
		Close: func() error { cpu.Close(); return nil },
	}
	s.Ask = func(text string) chat.Prompt {
		tags := chat.Tags{Open: tokenizer.Think, Close: tokenizer.EndThink}.WithIDs(t)
		return chat.Prompt{IDs: task.PromptTokens(t, text), Tags: tags, State: chat.Thinking}
	}
	return s, nil
}

// talkTemplate is a template with everything that the server looks for: thoughts, their switch, and tools in Hermes' style.
const talkTemplate = `{%- if tools %}<tool_call>{% for t in tools %}{{ t | tojson }}{% endfor %}{% endif -%}
{%- for m in messages %}<|user|>{{ m.role }}:{{ m.content }}{% if m.reasoning_content %}[{{ m.reasoning_content }}]{% endif %}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}<|end|>{% endfor -%}
{%- if add_generation_prompt %}<|assistant|>{% if enable_thinking is defined and not enable_thinking %}<think></think>{% else %}<think>{% endif %}{% endif %}`

// random is a model of one layer.
func random(vocabulary, positions, width int, seed uint64) (*model.Model, error) {
	return model.New(model.Config{
		Architecture: model.Qwen2, VocabSize: vocabulary, Width: width, Layers: 1, Heads: 2, KVHeads: 1, HeadSize: 8, FFN: 2 * width,
		MaxPositions: positions, RopeTheta: 10000, NormEpsilon: 1e-6, TieEmbeddings: true, BOS: -1, EOS: -1,
	}, seed)
}

// talker returns a random model of some width that is spoken to by a template.
func talker(template string, positions, width int, seed uint64) func(context.Context) (*Model, error) {
	return func(context.Context) (*Model, error) {
		lab := tokenizer.Lab()
		m, err := random(lab.Size(), positions, width, seed)
		if err != nil {
			return nil, err
		}
		parsed, err := chat.Parse(template)
		if err != nil {
			return nil, err
		}
		return ready(m, lab, &chat.Config{Template: parsed})
	}
}

// serve starts a server with the embedded model as lab, and a random one as talk.
func serve(t *testing.T, change func(o *Options)) (*Server, *httptest.Server) {
	t.Helper()
	o := Options{Models: []ModelSpec{
		{ID: "lab", Bytes: 10 << 20, Created: time.Unix(1700000000, 0), Open: embedded},
		{ID: "talk", Bytes: 1 << 20, Open: talker(talkTemplate, 4096, 16, 1)},
	}, Version: "0.1.0"}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), longest)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		h.Close()
	})
	return s, h
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// object is the body as JSON.
func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("status %d: %.200q: %v", a.status, a.body, err)
	}
	return v
}

// send makes a request; a body is JSON.
func send(t *testing.T, h *httptest.Server, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	r, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{r.StatusCode, r.Header, text}
}

func post(t *testing.T, h *httptest.Server, path, body string, header ...string) answer {
	t.Helper()
	return send(t, h, "POST", path, body, header...)
}

// ok is a body of a request that must be served.
func ok(t *testing.T, h *httptest.Server, path, body string, header ...string) map[string]any {
	t.Helper()
	a := post(t, h, path, body, header...)
	if a.status != 200 {
		t.Fatalf("%s %s: %d %s", path, body, a.status, a.body)
	}
	return a.object(t)
}

// at walks through JSON by names and places.
func at(v any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

// events reads the data of a stream.
func events(t *testing.T, body []byte) (list []map[string]any, done bool) {
	t.Helper()
	for _, part := range bytes.Split(body, []byte("\n\n")) {
		for _, line := range bytes.Split(part, []byte("\n")) {
			data, isData := bytes.CutPrefix(line, []byte("data: "))
			if !isData {
				continue
			}
			if string(data) == "[DONE]" {
				done = true
				continue
			}
			var v map[string]any
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatalf("%q: %v", data, err)
			}
			list = append(list, v)
		}
	}
	return list, done
}

// longest is how long a test waits for what has to come: long enough for any machine.
const longest = time.Minute

// eventually waits for a condition, and returns for how long. Where the process stood still meanwhile, as on a machine that others stop, that time does
// not count: of each look, which takes a millisecond, ten do at most.
func eventually(t *testing.T, what string, is func() bool) (waited time.Duration) {
	t.Helper()
	for last := time.Now(); !is(); {
		if waited > longest {
			t.Fatalf("not within %v: %s", longest, what)
		}
		time.Sleep(time.Millisecond)
		now := time.Now()
		waited += min(now.Sub(last), 10*time.Millisecond)
		last = now
	}
	return waited
}

// unless calls give up when inTime has not been called within longest, in which time that the process stood still does not count; inTime says whether it came
// before that.
func unless(giveUp func()) (inTime func() bool) {
	var once sync.Once
	came, isLate := make(chan struct{}), false
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range longest / (10 * time.Millisecond) {
			select {
			case <-came:
				return
			case <-tick.C:
			}
		}
		once.Do(func() { isLate = true; giveUp() })
	}()
	return func() bool {
		once.Do(func() { close(came) })
		return !isLate
	}
}

// occupy takes the one slot of a server, until release is called.
func occupy(t *testing.T, s *Server) (release func()) {
	t.Helper()
	k, f := s.queue.enter("somebody else")
	if f != nil || k.place() != 0 {
		t.Fatalf("the slot is taken: %v", f)
	}
	t.Cleanup(k.leave)
	return k.leave
}

// held posts a request, and calls release once the first bytes of its answer are there.
func held(t *testing.T, h *httptest.Server, path, body string, first int, release func()) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return answer{}
	}
	req.Header.Set("Content-Type", "application/json")
	inTime := unless(release) // so that a server that is silent does not hold the test up
	defer inTime()
	r, err := h.Client().Do(req)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	defer r.Body.Close()
	text := make([]byte, first)
	if _, err := io.ReadFull(r.Body, text); err != nil {
		t.Errorf("%s: %v before %d bytes", path, err, first)
		return answer{}
	}
	if !inTime() {
		t.Errorf("%s: %d bytes took more than %v", path, first, longest)
	}
	release()
	rest, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return answer{r.StatusCode, r.Header, append(text, rest...)}
}

// request is one that no connection carries; it is cancelled after a while.
func request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	t.Cleanup(cancel)
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	return r
}

// discard takes an answer and keeps its status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) Write(b []byte) (int, error) {
	if d.status == 0 {
		d.status = 200
	}
	return len(b), nil
}

func (d *discard) WriteHeader(status int) {
	if d.status == 0 {
		d.status = status
	}
}

func (d *discard) Flush() {}

// newHTTP puts a server behind a socket, for a client with as many connections as it likes.
func newHTTP(t testing.TB, s *Server) httpServer {
	t.Helper()
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	return httpServer{h.URL, client}
}

// medianInterval is the median of at least 6 values, and the order statistics around it between which that of their distribution lies in 95 of 100
// cases (the sign test, by the normal approximation).
func medianInterval(values []float64) (low, middle, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	off := int(math.Ceil(0.98 * math.Sqrt(float64(n))))
	middle = (sorted[(n-1)/2] + sorted[n/2]) / 2
	return sorted[max(0, n/2-off)], middle, sorted[min(n-1, (n-1)/2+off)]
}

// processTime is the processor time of this process so far; 0 where the system does not tell.
func processTime() time.Duration {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	kernel, _ := strconv.Atoi(fields[12])
	return time.Duration(user+kernel) * 10 * time.Millisecond // a tick is 10 ms on every Linux there is
}
