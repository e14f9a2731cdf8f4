package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/retort-ml/retort/runstore"
)

// maxFollowed is how many runs are overlaid at most.
const maxFollowed = 8

// look reads what is new of a run and hands its series to use.
func (p *Page) look(name string, use func(s *series)) error {
	at, err := openPlace(p.options.Runs, name)
	if err != nil {
		return err
	}
	defer at.close()
	s := p.series.get(name, func() *series { return &series{} })
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.lookAt(at); err != nil {
		return err
	}
	use(s)
	return nil
}

// oneRun answers with what a run is.
func (p *Page) oneRun(_ http.ResponseWriter, r *http.Request) (any, error) {
	name := r.URL.Query().Get("run")
	var answer map[string]any
	err := p.look(name, func(s *series) {
		answer = map[string]any{"name": name, "manifest": s.raw, "rows": len(s.steps), "findings": s.findings, "fault": s.fault}
	})
	if err != nil {
		return nil, err
	}
	answer["status"] = p.statusOf(name)
	return answer, nil
}

// metrics answers with a run's numbers, from row ?from on.
func (p *Page) metrics(_ http.ResponseWriter, r *http.Request) (any, error) {
	q := r.URL.Query()
	from, err := whole(q, "from", 0, 0, 1<<40)
	if err != nil {
		return nil, err
	}
	var answer rows
	if err := p.look(q.Get("run"), func(s *series) { answer = s.since(q.Get("run"), int(from)) }); err != nil {
		return nil, err
	}
	answer.Status = p.statusOf(answer.Run)
	return answer, nil
}

// exportCSV answers with a run's numbers in the form of runstore's export, every bit of them; exportJSON also with what the run is.
func (p *Page) exportCSV(w http.ResponseWriter, r *http.Request) (any, error) {
	return nil, p.export(w, r, runstore.CSV, "text/csv; charset=utf-8")
}

func (p *Page) exportJSON(w http.ResponseWriter, r *http.Request) (any, error) {
	return nil, p.export(w, r, runstore.JSON, "application/json")
}

func (p *Page) export(w http.ResponseWriter, r *http.Request, format runstore.ExportFormat, kind string) error {
	at, err := p.placeOf(r)
	if err != nil {
		return err
	}
	defer at.close()
	if err := at.safe(); err != nil {
		return err
	}
	record, err := runstore.Read(at.dir)
	if err != nil {
		return &fault{http.StatusUnprocessableEntity, "the run's numbers cannot be read whole"}
	}
	saveAs(w, kind, "metrics."+string(format))
	_ = runstore.Export(record, w, format) // the client may have gone
	return nil
}

// exportSamples answers with the whole lines of a run's samples as they are stored.
func (p *Page) exportSamples(w http.ResponseWriter, r *http.Request) (any, error) {
	at, f, size, err := p.openSamples(r.URL.Query())
	if err != nil {
		return nil, err
	}
	defer at.close()
	if f != nil {
		defer func() { _ = f.Close() }() // it was only read
	}
	saveAs(w, "application/x-ndjson", "samples.jsonl")
	if f == nil {
		return nil, nil
	}
	_ = eachLineFrom(f, size, 0, func(_ int64, line []byte) error { // the client may have gone, or the rest be damaged: whole lines it has
		_, err := w.Write(append(line, '\n'))
		return err
	})
	return nil, nil
}

// saveAs makes of an answer a file to save.
func saveAs(w http.ResponseWriter, kind, name string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
}

// follow sends the new rows of runs as they come: events named rows, and a comment now and then. ?run names each, ?from the row to begin at.
// The last two rows are sent again with new ones, since their times may come later.
func (p *Page) follow(w http.ResponseWriter, r *http.Request) (any, error) {
	q := r.URL.Query()
	names := q["run"]
	if len(names) == 0 || len(names) > maxFollowed {
		return nil, badRequest("run: got %d, want 1 to %d", len(names), maxFollowed)
	}
	states := make([]followed, len(names))
	for i, name := range names {
		states[i] = followed{name: name, generation: -1}
		if froms := q["from"]; i < len(froms) {
			n, err := strconv.Atoi(froms[i])
			if err != nil || n < 0 {
				return nil, badRequest("from: got %.40q, want the number of a row", froms[i])
			}
			states[i].next = n
		}
		if err := p.look(name, func(s *series) { states[i].generation = s.generation }); err != nil {
			return nil, err
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if err := control.Flush(); err != nil {
		return nil, nil // the writer cannot stream, or the client has gone
	}
	ticker := time.NewTicker(p.options.Poll)
	defer ticker.Stop()
	quiet := time.Now()
	for {
		for i := range states {
			text := p.newRows(&states[i])
			if text == nil {
				continue
			}
			quiet = time.Now()
			if _, err := w.Write(text); err != nil {
				return nil, nil // the client has gone
			}
		}
		if time.Since(quiet) > 15*time.Second {
			quiet = time.Now()
			if _, err := w.Write([]byte(": ping\n\n")); err != nil {
				return nil, nil // the client has gone
			}
		}
		if err := control.Flush(); err != nil {
			return nil, nil // the client has gone
		}
		select {
		case <-r.Context().Done():
			return nil, nil
		case <-ticker.C:
		}
	}
}

// followed is how far a client has been told of a run.
type followed struct {
	name       string
	generation int
	next       int // row
	status     string
}

// newRows returns the event about what is new of a run, nil if nothing is.
func (p *Page) newRows(f *followed) []byte {
	var answer rows
	err := p.look(f.name, func(s *series) {
		if s.generation != f.generation {
			f.generation, f.next = s.generation, 0
		}
		if len(s.steps) > f.next {
			answer = s.since(f.name, f.next-2)
			f.next = len(s.steps)
		} else {
			answer = s.since(f.name, len(s.steps))
		}
	})
	if err != nil {
		answer = rows{Run: f.name, Fault: err.Error(), Status: string(runstore.StatusDamaged)}
	} else {
		answer.Status = p.statusOf(f.name)
	}
	state := fmt.Sprint(answer.Status, answer.Fault)
	if len(answer.Steps) == 0 && state == f.status {
		return nil
	}
	f.status = state
	text, err := json.Marshal(answer)
	if err != nil {
		return nil
	}
	return append(append([]byte("event: rows\ndata: "), text...), '\n', '\n')
}
