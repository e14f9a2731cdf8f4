package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/retort-ml/retort/engine"
	"github.com/retort-ml/retort/openai"
)

// models loads models when they are asked for, and unloads those that nobody uses.
type models struct {
	ctx    context.Context
	budget int64
	idle   time.Duration

	mu      sync.Mutex
	entries []*entry
	changed chan struct{} // closed, and replaced, at each change
	closed  bool
	faults  []error // of closing models
	loaders sync.WaitGroup
}

// entry is a model that is loaded, is being loaded, or is not.
type entry struct {
	ModelSpec
	ready    *loaded // nil: it is not loaded
	busy     bool    // it is being loaded or unloaded
	err      error   // of the last attempt to load it
	users    int
	lastUsed time.Time
	sum      engine.Stats // of earlier lives
}

// loaded is a model with what is derived from it once.
type loaded struct {
	*Model
	blank []int32 // tokens of white space alone
	since time.Time
	took  time.Duration
	style toolStyle
}

// lease keeps a model loaded until it is released.
type lease struct {
	*loaded
	id      string // as it was asked for
	nothink bool
	release func()
	// waited is how long loading took for this request.
	waited time.Duration
}

func newModels(ctx context.Context, o *Options) *models {
	m := &models{ctx: ctx, budget: o.Memory, idle: o.Idle, changed: make(chan struct{})}
	for _, spec := range o.Models {
		m.entries = append(m.entries, &entry{ModelSpec: spec})
	}
	if m.idle > 0 {
		m.loaders.Go(m.unloadIdle)
	}
	return m
}

// notify wakes those who wait. m.mu is held.
func (m *models) notify() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// noThink ends the name of a model that does not think.
const noThink = "@nothink"

// find returns the entry of a name, that of the first model for none.
func (m *models) find(name string) (e *entry, nothink bool, f *fault) {
	base, nothink := strings.CutSuffix(name, noThink)
	if base == "" {
		return m.entries[0], nothink, nil
	}
	for _, e := range m.entries {
		if e.ID == base || e.ID+":latest" == base { // Ollama's clients add the tag
			return e, nothink, nil
		}
	}
	f = missing("there is no model %.100q; GET /v1/models lists them", name)
	f.param, f.code = "model", "model_not_found"
	return nil, false, f
}

// acquire loads a model if it has to, and keeps it. tick, if any, is called now and then meanwhile.
func (m *models) acquire(ctx context.Context, name string, every time.Duration, tick func() error) (*lease, error) {
	e, nothink, f := m.find(name)
	if f != nil {
		return nil, f
	}
	if m.budget > 0 && e.Bytes > m.budget {
		return nil, &fault{status: http.StatusBadRequest, kind: kindInvalid, code: "model_too_large", param: "model",
			message: fmt.Sprintf("model %s takes about %d bytes, and the models together may take %d; try: retort serve --memory", e.ID, e.Bytes, m.budget)}
	}
	began := time.Now()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for tries := 0; ; {
		m.mu.Lock()
		switch {
		case m.closed:
			m.mu.Unlock()
			return nil, context.Canceled
		case e.ready != nil && !e.busy:
			e.users++
			l := &lease{loaded: e.ready, id: name, nothink: nothink, release: sync.OnceFunc(func() { m.release(e) }), waited: time.Since(began)}
			m.mu.Unlock()
			if name == "" {
				l.id = e.ID
			}
			return l, nil
		case e.err != nil && tries > 0:
			err := e.err
			m.mu.Unlock()
			return nil, &fault{status: http.StatusInternalServerError, kind: kindServer, code: "model_not_loaded", message: fmt.Sprintf("model %s cannot be loaded: %v", e.ID, err)}
		case !e.busy && m.makeRoom(e):
			m.load(e)
		}
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
			tries++
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
			if tick == nil {
				continue
			}
			if err := tick(); err != nil {
				return nil, err
			}
		}
	}
}

func (m *models) release(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.users--
	e.lastUsed = time.Now()
	m.notify()
}

// makeRoom reports whether e fits beside what is loaded. Otherwise it begins to unload the model that has been idle for longest. m.mu is held.
func (m *models) makeRoom(e *entry) bool {
	if m.budget == 0 {
		return true
	}
	sum := e.Bytes
	var oldest *entry
	for _, other := range m.entries {
		if other.ready == nil && !other.busy {
			continue
		}
		sum += other.Bytes
		if !other.busy && other.users == 0 && (oldest == nil || other.lastUsed.Before(oldest.lastUsed)) {
			oldest = other
		}
	}
	if sum <= m.budget {
		return true
	}
	if oldest != nil {
		m.unload(oldest)
	}
	return false
}

// load begins to load e. m.mu is held.
func (m *models) load(e *entry) {
	e.busy, e.err = true, nil
	began := time.Now()
	m.loaders.Go(func() {
		opened, err := e.Open(m.ctx)
		var ready *loaded
		if err == nil {
			ready = newLoaded(opened)
			ready.since, ready.took = time.Now(), time.Since(began)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		e.ready, e.err, e.busy, e.lastUsed = ready, err, false, time.Now()
		m.notify()
	})
}

// unload begins to unload e, which nobody uses. m.mu is held.
func (m *models) unload(e *entry) {
	ready := e.ready
	e.busy = true
	m.loaders.Go(func() {
		stats := ready.Engine.Stats()
		var err error
		if ready.Close != nil {
			err = ready.Close()
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		addStats(&e.sum, &stats)
		e.ready, e.busy = nil, false
		if err != nil {
			m.faults = append(m.faults, fmt.Errorf("server: model %s: %w", e.ID, err))
		}
		m.notify()
	})
}

// preload begins to load the first model.
func (m *models) preload() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[0]; m.makeRoom(e) {
		m.load(e)
	}
}

// unloadIdle unloads what nobody has used for a while.
func (m *models) unloadIdle() {
	ticker := time.NewTicker(max(m.idle/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
		}
		m.mu.Lock()
		for _, e := range m.entries {
			if e.ready != nil && !e.busy && e.users == 0 && time.Since(e.lastUsed) >= m.idle {
				m.unload(e)
			}
		}
		m.mu.Unlock()
	}
}

// state says whether the first model is being loaded, and why it cannot be.
func (m *models) state() (loading bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[0]
	return e.busy && e.ready == nil, e.err
}

// close unloads all models, after their last request.
func (m *models) close() error {
	m.loaders.Wait()
	m.mu.Lock()
	m.closed = true
	for _, e := range m.entries {
		if e.ready != nil {
			m.unload(e)
		}
	}
	m.mu.Unlock()
	m.loaders.Wait()
	return errors.Join(m.faults...)
}

// info is what can be said about a model without loading it.
type info struct {
	spec   ModelSpec
	ready  *loaded // nil: it is not loaded
	users  int
	expire time.Time // when it is unloaded; zero: it is not
	sum    engine.Stats
}

// list returns what is known of all models.
func (m *models) list() []info {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]info, len(m.entries))
	for i, e := range m.entries {
		all[i] = info{spec: e.ModelSpec, users: e.users, sum: e.sum}
		if !e.busy {
			all[i].ready = e.ready
		}
		if m.idle > 0 && e.ready != nil {
			all[i].expire = e.lastUsed.Add(m.idle)
		}
	}
	return all
}

// wire is a model in OpenAI's list.
func (i *info) wire(id string) openai.Model {
	w := openai.Model{ID: id, Object: "model", OwnedBy: "retort"}
	if !i.spec.Created.IsZero() {
		w.Created = i.spec.Created.Unix()
	}
	if i.ready != nil {
		w.MaxModelLen = i.ready.Context
	}
	return w
}

// addStats adds the counts of b to a.
func addStats(a, b *engine.Stats) {
	a.PromptEvaluated += b.PromptEvaluated
	a.PromptShared += b.PromptShared
	a.Preemptions += b.Preemptions
	a.Generated += b.Generated
	a.Steps += b.Steps
}
