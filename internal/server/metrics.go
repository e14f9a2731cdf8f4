package server

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// metrics counts what was served, for Prometheus. The names are vLLM's where it has one.
type metrics struct {
	refused, aborted, panics atomic.Int64

	mu                 sync.Mutex
	requests           map[string]int64 // by the model
	prompt, cached     map[string]int64
	generated, thought map[string]int64
	first, whole, wait histogram
}

// bounds are the upper ends of the buckets in seconds.
var bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600}

// histogram counts times.
type histogram struct {
	counts []int64 // [len(bounds)]
	total  int64
	sum    float64
}

func (h *histogram) add(d time.Duration) {
	if h.counts == nil {
		h.counts = make([]int64, len(bounds))
	}
	seconds := d.Seconds()
	h.total++
	h.sum += seconds
	if at, _ := slices.BinarySearch(bounds, seconds); at < len(bounds) {
		h.counts[at]++
	}
}

// done counts a request that was answered: exactly what its usage said.
func (m *metrics) done(w *work, sum totals) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == nil {
		m.requests, m.prompt, m.cached = map[string]int64{}, map[string]int64{}, map[string]int64{}
		m.generated, m.thought = map[string]int64{}, map[string]int64{}
	}
	id := strings.TrimSuffix(w.lease.id, noThink)
	m.requests[id]++
	m.prompt[id] += int64(sum.prompt)
	m.cached[id] += int64(sum.cached)
	m.generated[id] += int64(sum.completion)
	m.thought[id] += int64(sum.reasoning)
	m.wait.add(w.waited)
	if !w.first.IsZero() {
		m.first.add(w.first.Sub(w.began))
	}
	m.whole.add(time.Since(w.began))
}

// exposition is a text in Prometheus' format.
type exposition struct{ strings.Builder }

func (p *exposition) family(name, kind, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *exposition) single(name, kind, help string, value int64) {
	p.family(name, kind, help)
	fmt.Fprintf(p, "%s %d\n", name, value)
}

func (p *exposition) byModel(name, kind, help string, values map[string]int64) {
	p.family(name, kind, help)
	for _, id := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(p, "%s{model_name=%s} %d\n", name, strconv.Quote(id), values[id])
	}
}

func (p *exposition) shareByModel(name, help string, values map[string]float64) {
	p.family(name, "gauge", help)
	for _, id := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(p, "%s{model_name=%s} %s\n", name, strconv.Quote(id), number(values[id]))
	}
}

func (p *exposition) histogram(name, help string, h *histogram) {
	p.family(name, "histogram", help)
	var sum int64
	for i, bound := range bounds {
		if h.counts != nil {
			sum += h.counts[i]
		}
		fmt.Fprintf(p, "%s_bucket{le=\"%s\"} %d\n", name, number(bound), sum)
	}
	fmt.Fprintf(p, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %s\n%s_count %d\n", name, h.total, name, number(h.sum), name, h.total)
}

// writeMetrics is GET /metrics.
func (s *Server) writeMetrics(w http.ResponseWriter, _ *http.Request) error {
	p := &exposition{}
	running, waiting := s.queue.counts()
	p.single("vllm:num_requests_running", "gauge", "Requests that are being answered.", int64(running))
	p.single("vllm:num_requests_waiting", "gauge", "Requests in the queue.", int64(waiting))
	m := &s.metrics
	m.mu.Lock()
	p.byModel("vllm:request_success_total", "counter", "Requests that were answered.", m.requests)
	p.byModel("vllm:prompt_tokens_total", "counter", "Tokens of the prompts, as in usage.", m.prompt)
	p.byModel("vllm:generation_tokens_total", "counter", "Tokens of the replies, as in usage.", m.generated)
	p.byModel("retort:reasoning_tokens_total", "counter", "Tokens of thoughts, as in usage.", m.thought)
	p.byModel("retort:cached_prompt_tokens_total", "counter", "Tokens of prompts that were found in the cache, as in usage.", m.cached)
	p.histogram("vllm:time_to_first_token_seconds", "From the request to its first token.", &m.first)
	p.histogram("vllm:e2e_request_latency_seconds", "From the request to the end of its reply.", &m.whole)
	p.histogram("vllm:request_queue_time_seconds", "Time in the queue.", &m.wait)
	m.mu.Unlock()
	p.single("retort:requests_refused_total", "counter", "Requests for which the queue had no room.", m.refused.Load())
	p.single("retort:requests_aborted_total", "counter", "Requests that did not get their whole reply.", m.aborted.Load())
	p.single("retort:handler_panics_total", "counter", "Faults of the server's own.", m.panics.Load())
	s.writeEngines(p)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(p.String())) // a reader that is gone needs no numbers
	return nil
}

// writeEngines adds what the engines count themselves.
func (s *Server) writeEngines(p *exposition) {
	evaluated, shared, preempted, loaded := map[string]int64{}, map[string]int64{}, map[string]int64{}, map[string]int64{}
	used := map[string]float64{}
	for _, i := range s.models.list() {
		sum := i.sum
		loaded[i.spec.ID] = 0
		if i.ready != nil {
			now := i.ready.Engine.Stats()
			addStats(&sum, &now)
			loaded[i.spec.ID] = 1
			l := i.ready.Engine.Load()
			used[i.spec.ID] = float64(l.Held) / float64(max(1, l.Blocks))
		}
		evaluated[i.spec.ID] = int64(sum.PromptEvaluated)
		shared[i.spec.ID] = int64(sum.PromptShared)
		preempted[i.spec.ID] = int64(sum.Preemptions)
	}
	p.byModel("retort:model_loaded", "gauge", "Whether the model is in memory.", loaded)
	p.byModel("retort:prompt_tokens_evaluated_total", "counter", "Positions of prompts that were run.", evaluated)
	p.byModel("retort:prompt_tokens_shared_total", "counter", "Positions of prompts that were taken over from another sample or the cache.", shared)
	p.shareByModel("vllm:kv_cache_usage_perc", "Share of the cache that running samples hold, 0 to 1; what is kept for later requests does not count.", used)
	p.byModel("vllm:num_preemptions_total", "counter", "Samples that gave up their cache to others for a while.", preempted)
}
