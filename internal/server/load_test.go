package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/retort-ml/retort/openai"
)

// unending keeps a random model from ending its thought and its reply, and from going in circles.
const unending = `"answer_reserve":0,"temperature":2,"top_p":1,"logit_bias":{"259":-100,"261":-100}`

// endless is a request that goes on for seconds on any machine: no thought ends, and no reserve closes it.
const endless = `{"model":"talk","max_tokens":32000,` + unending + `,"messages":[{"role":"user","content":"x"}]`

// begin sends a request and returns how to abort it, once its handler is at work.
func begin(t *testing.T, h *httptest.Server, path, body string) (abort func(), reply <-chan *http.Response) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	c := make(chan *http.Response, 1)
	go func() {
		r, err := h.Client().Do(req)
		if err == nil {
			c <- r
		}
		close(c)
	}()
	return cancel, c
}

func slowTalk(o *Options) {
	o.Models = []ModelSpec{{ID: "talk", Open: talker(talkTemplate, 32768, 256, 1)}}
}

// TestGone: when the client goes, the engine stops, in the prompt and in the reply, streamed or not.
func TestGone(t *testing.T) {
	s, h := serve(t, func(o *Options) { slowTalk(o); o.Slots = 1 })
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`)
	e := s.models.entries[0].ready.Engine
	long := strings.Repeat("lorem ipsum ", 650)
	for _, c := range []struct{ name, path, body string }{
		{"reply", "/v1/chat/completions", endless + `}`},
		{"stream", "/v1/chat/completions", endless + `,"stream":true}`},
		{"many", "/v1/chat/completions", endless + `,"stream":true,"n":20}`},
		{"prompt", "/v1/completions", `{"model":"talk","max_tokens":20000,` + unending + `,"prompt":"TRY` + long + `"}`},
		{"prompt, stream", "/v1/completions", `{"model":"talk","max_tokens":20000,` + unending + `,"stream":true,"prompt":"yTRY` + long + `"}`},
		{"messages", "/v1/messages", `{"model":"talk","max_tokens":20000,"stream":true,"messages":[{"role":"user","content":"TRY` + long + `"}]}`},
		{"ollama", "/api/chat", `{"model":"talk","messages":[{"role":"user","content":"zTRY` + long + `"}]}`},
	} {
		// Other work on the machine hits single tries: the best of some counts.
		const most = 250 * time.Millisecond
		took := 2 * most
		for try := 0; try < 10 && took > most; try++ {
			text := strings.Replace(c.body, "TRY", fmt.Sprint(try), 1) // a prompt that no try has left in the cache
			rows := e.Stats().Rows
			abort, _ := begin(t, h, c.path, text)
			eventually(t, c.name+" has begun", func() bool { running, _ := s.queue.counts(); return running == 1 || e.Stats().Rows > rows+len(long) })
			if !strings.HasPrefix(c.name, "prompt") {
				eventually(t, c.name+" is on", func() bool { return e.Stats().Rows > rows })
			}
			abort()
			took = min(took, eventually(t, c.name+" has stopped", func() bool { running, _ := s.queue.counts(); return running == 0 }))
			eventually(t, c.name+" has left the engine", func() bool { return e.Load().Jobs == 0 })
		}
		if took > most {
			t.Errorf("%s: the slot was free after %v at best", c.name, took)
		}
		t.Logf("%s: stopped after %v", c.name, took)
	}
}

// TestThousandAborts: requests that are given up leave nothing behind.
func TestThousandAborts(t *testing.T) {
	s, h := serve(t, func(o *Options) { o.Models, o.Slots = o.Models[1:], 8 })
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`)
	wave := func(n int) {
		var all sync.WaitGroup
		for i := range n {
			abort, reply := begin(t, h, "/v1/chat/completions", endless+fmt.Sprintf(`,"stream":%v,"n":%d}`, i%2 == 0, 1+i%3))
			all.Go(func() {
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				abort()
				if r := <-reply; r != nil {
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
			})
		}
		all.Wait()
		eventually(t, "all have stopped", func() bool {
			running, waiting := s.queue.counts()
			return running+waiting == 0 && len(s.running.of("127.0.0.1")) == 0
		})
		h.Client().CloseIdleConnections()
	}
	measure := func() (goroutines int, heap uint64) {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	// least measures until nothing ends any more: what has been given up ends on its own time.
	least := func() (goroutines int, heap uint64) {
		goroutines, heap = measure()
		for same := 0; same < 5; same++ {
			time.Sleep(20 * time.Millisecond)
			if g, b := measure(); g < goroutines || b+64<<10 < heap {
				same, goroutines, heap = 0, min(g, goroutines), min(b, heap)
			}
		}
		return goroutines, heap
	}
	wave(100)
	goroutines, heap := least()
	for range 10 {
		wave(100)
	}
	after, heapAfter := least()
	isKept := func() bool { return after > goroutines+5 || heapAfter > heap+heap/10+1<<20 }
	for try := 0; try < 100 && isKept(); try++ { // on a machine that is busy elsewhere, ends may take their time
		time.Sleep(100 * time.Millisecond)
		after, heapAfter = measure()
	}
	if isKept() {
		t.Errorf("1,000 aborts: %d goroutines, then %d; %d bytes, then %d", goroutines, after, heap, heapAfter)
	}
	t.Logf("%d goroutines, then %d; %d KiB, then %d KiB", goroutines, after, heap>>10, heapAfter>>10)
}

// TestManyClients: 200 clients on 4 slots all get their replies, in order within a key, and the keys take turns.
func TestManyClients(t *testing.T) {
	s, h := serve(t, func(o *Options) { o.Slots, o.Keys = 4, []openai.Secret{"key-number-0", "key-number-1"} })
	ask := func(key int, body string) answer {
		return post(t, h, "/v1/chat/completions", body, "Authorization", fmt.Sprintf("Bearer key-number-%d", key))
	}
	ask(0, body("lab", `,"max_tokens":1`))
	var most, failed atomic.Int64
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				running, _ := s.queue.counts()
				most.Store(max(most.Load(), int64(running)))
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	// The slots are taken until all wait, so that it is no matter how soon each comes.
	var others []*ticket
	for range 4 {
		k, f := s.queue.enter("somebody else")
		if f != nil {
			t.Fatal(f)
		}
		others = append(others, k)
	}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			a := ask(i%2, body("lab", `,"stream":true,"max_tokens":60`))
			if _, done := events(t, a.body); a.status != 200 || !done {
				failed.Add(1)
			}
		})
	}
	eventually(t, "all wait", func() bool { _, waiting := s.queue.counts(); return waiting == 200 || failed.Load() > 0 })
	for _, k := range others {
		k.leave()
	}
	if running, waiting := s.queue.counts(); running != 4 && waiting > 0 {
		t.Errorf("%d run and %d wait", running, waiting)
	}
	all.Wait()
	close(stop)
	if failed.Load() > 0 || most.Load() > 4 {
		t.Errorf("%d of 200 failed, at most %d at once", failed.Load(), most.Load())
	}
}

// TestQueue: the order of the line, its places, and what happens when it is full.
func TestQueue(t *testing.T) {
	q := newQueue(1, 6, 4)
	first, _ := q.enter("a")
	var line []*ticket
	for _, caller := range strings.Split("a a a b c b", " ") {
		k, f := q.enter(caller)
		if f != nil {
			t.Fatal(f)
		}
		line = append(line, k)
	}
	var places []int
	for _, k := range line {
		places = append(places, k.place())
	}
	if got := fmt.Sprint(places); got != "[1 4 6 2 3 5]" {
		t.Errorf("places %s", got)
	}
	if _, f := q.enter("d"); f == nil || f.status != 503 || f.retryAfter < time.Second {
		t.Errorf("a full queue: %+v", f)
	}
	line[0].leave() // it went before its turn
	if _, f := q.enter("a"); f != nil {
		t.Errorf("there is room again: %v", f)
	}
	if f := newQueueFull(); f == nil || f.status != 429 || f.retryAfter < time.Second {
		t.Errorf("a full line: %+v", f)
	}
	first.leave()
	first.leave()
	order := ""
	for range 5 {
		for i, k := range line {
			if !k.given && k.place() == 0 {
				order += fmt.Sprint(i)
				k.leave()
				break
			}
		}
	}
	if order != "13425" {
		t.Errorf("order %s", order)
	}
	if running, waiting := q.counts(); running != 1 || waiting != 0 {
		t.Errorf("%d run and %d wait, want the last one of a", running, waiting)
	}
}

// newQueueFull is what the second waiting ticket of a caller is told where one may wait.
func newQueueFull() *fault {
	q := newQueue(1, 6, 1)
	for range 2 {
		if _, f := q.enter("a"); f != nil {
			return nil
		}
	}
	_, f := q.enter("a")
	return f
}

// TestPlaces: who waits is told the place, and who finds the line full when to come again.
func TestPlaces(t *testing.T) {
	s, h := serve(t, func(o *Options) { slowTalk(o); o.Slots, o.Queue, o.KeyQueue, o.Ping = 1, 2, 2, 20*time.Millisecond })
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`)
	release := occupy(t, s)
	_, second := begin(t, h, "/v1/chat/completions", body("talk", `,"stream":true,"max_tokens":3`))
	r := <-second
	line, err := bufio.NewReader(r.Body).ReadString('\n')
	if err != nil || line != ": queue 1\n" {
		t.Errorf("got %q, %v", line, err)
	}
	third, _ := begin(t, h, "/v1/chat/completions", body("talk", `,"stream":true,"max_tokens":3`))
	eventually(t, "two wait", func() bool { _, waiting := s.queue.counts(); return waiting == 2 })
	if a := post(t, h, "/v1/chat/completions", body("talk", "")); a.status != 503 || !regexp.MustCompile(`^[1-9]\d*$`).MatchString(a.header.Get("Retry-After")) {
		t.Errorf("a full queue: %d %v", a.status, a.header)
	}
	third()
	release()
	rest, _ := io.ReadAll(r.Body)
	if _, done := events(t, rest); !done {
		t.Errorf("no end: %.300s", rest)
	}
}

// TestSignsOfLife: silence is broken by pings in a stream and by spaces in a reply at once, in each dialect.
func TestSignsOfLife(t *testing.T) {
	s, h := serve(t, func(o *Options) {
		slowTalk(o)
		o.Ping, o.PadAfter, o.Slots = 5*time.Millisecond, 10*time.Millisecond, 1
	})
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`)
	for _, c := range []struct{ path, rest, want string }{
		{"/v1/chat/completions", `,"stream":true`, ": "},
		{"/v1/chat/completions", ``, "  "},
		{"/v1/messages", ``, "  "},
		{"/v1/messages", `,"stream":true`, ": "},
		{"/api/chat", `,"stream":false`, "  "},
	} {
		const signs = 40 // bytes: of a stream that is more than its place in the line
		a := held(t, h, c.path, `{"model":"talk","messages":[{"role":"user","content":"x"}],"max_tokens":5`+c.rest+`}`, signs, occupy(t, s))
		if a.status != 200 || !strings.HasPrefix(string(a.body), c.want) {
			t.Fatalf("%s%s: %d %.200q", c.path, c.rest, a.status, a.body)
		}
		if c.want == "  " {
			a.object(t) // the spaces do no harm
		}
	}
	for _, path := range []string{"/v1/chat/completions", "/v1/completions", "/v1/messages"} {
		var a answer
		// It is read for longer than a ping, on a quick machine if it is longer.
		for length := 650; length <= 2600 && !strings.Contains(string(a.body), ": ping\n"); length *= 2 {
			long := fmt.Sprint(path, length, strings.Repeat("lorem ipsum ", length))
			a = post(t, h, path, fmt.Sprintf(`{"model":"talk","max_tokens":2,"stream":true,"prompt":%q,"messages":[{"role":"user","content":%q}]}`, long, long))
		}
		if a.status != 200 || !strings.Contains(string(a.body), ": ping\n") {
			t.Errorf("%s: no ping in %.300q", path, a.body)
		}
	}
}

// TestCloseNow: the thought of a running request ends when asked to, a queued one's as soon as it begins, and a stranger's not at all.
func TestCloseNow(t *testing.T) {
	s, h := serve(t, func(o *Options) { slowTalk(o); o.Slots = 1 })
	ok(t, h, "/v1/completions", `{"model":"talk","prompt":"x","max_tokens":1}`)
	// The thought goes on for as long as there is room, the answer until one of some letters comes.
	thinker := strings.Replace(endless, "32000", "30000", 1) + `,"stream":true,"stop":["a","e","i","o","u","A","E","I","O","U","1","2"," "]`
	start := func(rest string) (id string, read func() []map[string]any) {
		abort, reply := begin(t, h, "/v1/chat/completions", thinker+rest)
		r := <-reply
		inTime := unless(abort) // so that a thought that is not closed does not hold the test up
		return r.Header.Get("X-Request-Id"), func() []map[string]any {
			text, err := io.ReadAll(r.Body)
			if err != nil || !inTime() {
				t.Fatalf("it is not over: %v", err)
			}
			list, _ := events(t, text)
			return list
		}
	}
	id, read := start(`,"n":64}`)
	queued, readQueued := start(`}`)
	listed := send(t, h, "GET", "/v1/requests", "")
	if !strings.Contains(string(listed.body), id) || !strings.Contains(string(listed.body), `"queue":1`) {
		t.Errorf("listed: %s", listed.body)
	}
	if a := post(t, h, "/v1/requests/chatcmpl-none/close-thought", "{}"); a.status != 404 {
		t.Errorf("a request that is not there: %d", a.status)
	}
	ok(t, h, "/v1/requests/"+queued+"/close-thought", "{}")
	ok(t, h, "/v1/requests/"+id+"/close-thought", "{}")
	for name, list := range map[string][]map[string]any{"running": read(), "queued": readQueued()} {
		ended := 0
		for _, e := range list {
			if at(e, "choices", 0, "reasoning_ended") == "request" {
				ended++
			}
		}
		if want := map[string]int{"running": 64, "queued": 1}[name]; ended != want {
			t.Errorf("%s: %d thoughts were closed by request, want %d", name, ended, want)
		}
	}
	gone, readGone := start(`,"n":64}`)
	if a := send(t, h, "DELETE", "/v1/requests/"+gone, ""); a.status != 200 {
		t.Errorf("cancel: %d", a.status)
	}
	if list := readGone(); at(list[len(list)-1], "error", "code") != "request_cancelled" {
		t.Errorf("cancelled: %v", list[len(list)-1])
	}
	if s.metrics.aborted.Load() != 1 {
		t.Errorf("%d aborted", s.metrics.aborted.Load())
	}
}
