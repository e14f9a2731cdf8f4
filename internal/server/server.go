package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server answers requests about its models. Its methods may be called from many goroutines.
type Server struct {
	options Options
	guard   *guard
	models  *models
	queue   *queue
	prompts *queue       // of those whose prompt is made or counted, which takes a processor and no model
	bodies  atomic.Int64 // bytes of requests that are held
	secret  [32]byte     // signs thoughts
	running registry
	metrics metrics
	handler http.Handler

	ctx    context.Context // ends when work has to stop
	stop   context.CancelFunc
	busy   sync.WaitGroup // handlers
	mu     sync.Mutex
	closed bool
	serve  []*http.Server
}

// New makes a server and begins to load its first model; Shutdown gives everything back.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.resolved()
	routes, err := pageRoutes(o.Page)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	o.Routes = slices.Concat(o.Routes, routes)
	s := &Server{options: o, guard: newGuard(&o), queue: newQueue(o.Slots, o.Queue, o.KeyQueue),
		prompts: newQueue(max(1, runtime.GOMAXPROCS(0)), o.Queue, o.KeyQueue)}
	_, _ = rand.Read(s.secret[:]) // it never fails
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.models = newModels(s.ctx, &o)
	s.running.all = map[string]*running{}
	s.handler = s.mux()
	s.models.preload()
	return s, nil
}

// Handler is the whole server as a handler, for a listener that others own.
func (s *Server) Handler() http.Handler { return s.handler }

// CheckAddress is an error if the server may not listen at an address: beyond loopback without a key.
func (s *Server) CheckAddress(a net.Addr) error {
	address, err := netip.ParseAddrPort(a.String())
	if len(s.options.Keys) > 0 || a.Network() == "unix" || err == nil && address.Addr().Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("server: %s can be reached from other machines, want a key; try: retort serve --key-file FILE, or a loopback address", a)
}

// Serve answers on l until Shutdown, and returns nil then. The address is checked.
func (s *Server) Serve(l net.Listener) error {
	if err := s.CheckAddress(l.Addr()); err != nil {
		return err
	}
	h := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.New("server: it has been shut down")
	}
	s.serve = append(s.serve, h)
	s.mu.Unlock()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// Shutdown takes no new requests, waits for those under way until ctx ends, stops what is left, and unloads the models.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	servers := s.serve
	s.mu.Unlock()
	detach := context.AfterFunc(ctx, s.stop)
	defer detach()
	var faults []error
	for _, h := range servers {
		if err := h.Shutdown(ctx); err != nil {
			faults = append(faults, h.Close())
		}
	}
	s.busy.Wait()
	s.stop()
	return errors.Join(append(faults, s.models.close())...)
}

// enter counts a request in, and is false when no more are taken.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.busy.Add(1)
	return true
}

// endpoint is one route of the server's own.
type endpoint struct {
	pattern string
	dialect dialect
	open    bool // needs no key
	handle  func(s *Server, w http.ResponseWriter, r *http.Request) error
}

// endpoints are all routes but those of Options.Routes.
var endpoints = []endpoint{
	{"GET /health", dialectOpenAI, true, (*Server).health},
	{"GET /metrics", dialectOpenAI, false, (*Server).writeMetrics},
	{"GET /openapi.yaml", dialectOpenAI, false, (*Server).writeOpenAPI},
	{"GET /v1/models", dialectOpenAI, false, (*Server).listModels},
	{"GET /v1/models/{id...}", dialectOpenAI, false, (*Server).oneModel},
	{"POST /v1/chat/completions", dialectOpenAI, false, (*Server).chatCompletions},
	{"POST /v1/completions", dialectOpenAI, false, (*Server).completions},
	{"POST /tokenize", dialectOpenAI, false, (*Server).tokenize},
	{"POST /detokenize", dialectOpenAI, false, (*Server).detokenize},
	{"POST /apply-template", dialectOpenAI, false, (*Server).applyTemplate},
	{"GET /v1/requests", dialectOpenAI, false, (*Server).listRequests},
	{"POST /v1/requests/{id}/close-thought", dialectOpenAI, false, (*Server).closeThought},
	{"DELETE /v1/requests/{id}", dialectOpenAI, false, (*Server).cancelRequest},
	{"POST /v1/messages", dialectAnthropic, false, (*Server).messages},
	{"POST /v1/messages/count_tokens", dialectAnthropic, false, (*Server).countTokens},
	{"POST /api/chat", dialectOllama, false, (*Server).ollamaChat},
	{"POST /api/generate", dialectOllama, false, (*Server).ollamaGenerate},
	{"GET /api/tags", dialectOllama, false, (*Server).ollamaTags},
	{"POST /api/show", dialectOllama, false, (*Server).ollamaShow},
	{"GET /api/ps", dialectOllama, false, (*Server).ollamaPS},
	{"GET /api/version", dialectOllama, false, (*Server).ollamaVersion},
}

// mux puts every route behind the checks.
func (s *Server) mux() http.Handler {
	mux := http.NewServeMux()
	for i := range endpoints {
		e := &endpoints[i]
		mux.Handle(e.pattern, s.wrap(e.dialect, e.open, func(w http.ResponseWriter, r *http.Request) error { return e.handle(s, w, r) }))
	}
	for _, route := range s.options.Routes {
		mux.Handle(route.Pattern, s.wrap(dialectOpenAI, route.Open, func(w http.ResponseWriter, r *http.Request) error {
			route.Handler.ServeHTTP(w, r)
			return nil
		}))
	}
	mux.Handle("/", s.wrap(dialectOpenAI, false, func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		if allowed := methodsOf(mux, r); allowed != "" {
			w.Header().Set("Allow", allowed)
			return &fault{status: http.StatusMethodNotAllowed, kind: kindInvalid, code: "method_not_allowed",
				message: fmt.Sprintf("%.100q takes %s, not %.20q", r.URL.Path, allowed, r.Method)}
		}
		return missing("there is no route %.20s %.100q", r.Method, r.URL.Path)
	}))
	return mux
}

// methodsOf lists the methods by which a path is served.
func methodsOf(mux *http.ServeMux, r *http.Request) string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	return strings.Join(allowed, ", ")
}

// wrap puts a handler behind the checks, catches its errors, and writes a line about it.
func (s *Server) wrap(d dialect, open bool, handle func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		began := time.Now()
		w := &recorder{ResponseWriter: plain}
		if !s.enter() {
			(&fault{status: http.StatusServiceUnavailable, kind: kindBusy, message: "the server is shutting down", retryAfter: 5 * time.Second}).write(w, d)
			return
		}
		defer s.busy.Done()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		r = r.WithContext(ctx)
		defer func() {
			if p := recover(); p != nil {
				s.metrics.panics.Add(1)
				s.options.Log.Error("a handler failed", "route", r.Pattern, "fault", fmt.Sprintf("%T", p))
				if w.status == 0 {
					(&fault{status: http.StatusInternalServerError, kind: kindServer, code: "internal_error", message: "the server failed"}).write(w, d)
				}
			}
			s.bodies.Add(-w.held)
			s.options.Log.Info("request", "route", r.Pattern, "status", w.status, "ms", time.Since(began).Milliseconds())
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		s.guard.share(w, r)
		if f := s.guard.check(r, open); f != nil {
			f.write(w, d)
			return
		}
		if err := handle(w, r); err != nil && w.status == 0 {
			asFault(err).write(w, d)
		}
	})
}

// recorder notes the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	held   int64 // bytes of the request's body
}

// WriteHeader notes the status.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes that there is an answer.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
