package server

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"
)

// ollamaDetails describes a model in Ollama's lists.
func ollamaDetails(i *info) map[string]any {
	d := map[string]any{"parent_model": "", "format": "", "family": "", "families": []string{}, "parameter_size": "", "quantization_level": ""}
	if m := i.ready; m != nil {
		d["family"], d["families"], d["format"] = m.Family, []string{m.Family}, "gguf"
		d["parameter_size"], d["quantization_level"] = amount(m.Parameters), m.Format
	}
	return d
}

// amount is a number of parameters as people write it.
func amount(n int) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1fB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	}
	return fmt.Sprintf("%dK", n/1000)
}

// digest names the state of a model's files.
func (m *ModelSpec) digest() string {
	if m.Digest != "" {
		return m.Digest
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d", m.ID, m.Bytes, m.Created.UnixNano()))
	return hex.EncodeToString(sum[:])
}

// ollamaTags is GET /api/tags.
func (s *Server) ollamaTags(w http.ResponseWriter, _ *http.Request) error {
	list := []map[string]any{}
	for _, i := range s.models.list() {
		for _, id := range []string{i.spec.ID, i.spec.ID + noThink} {
			list = append(list, map[string]any{"name": id, "model": id, "modified_at": i.spec.Created, "size": i.spec.Bytes, "digest": i.spec.digest(), "details": ollamaDetails(&i)})
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": list})
	return nil
}

// ollamaPS is GET /api/ps: the models that are loaded.
func (s *Server) ollamaPS(w http.ResponseWriter, _ *http.Request) error {
	list := []map[string]any{}
	for _, i := range s.models.list() {
		if i.ready == nil {
			continue
		}
		expire := i.expire
		if expire.IsZero() { // it stays: Ollama's clients want a date
			expire = time.Now().AddDate(100, 0, 0)
		}
		list = append(list, map[string]any{"name": i.spec.ID, "model": i.spec.ID, "size": i.spec.Bytes, "digest": i.spec.digest(), "details": ollamaDetails(&i),
			"expires_at": expire, "size_vram": 0, "context_length": i.ready.Context})
	}
	writeJSON(w, http.StatusOK, map[string]any{"models": list})
	return nil
}

// ollamaShow is POST /api/show.
func (s *Server) ollamaShow(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Model string `json:"model"`
		Name  string `json:"name"` // the old name of model
	}
	foreign, err := s.read(w, r, fields{"model": nil, "name": nil, "verbose": nil, "system": nil}, &q)
	if err != nil {
		return err
	}
	if q.Model == "" {
		q.Model = q.Name
	}
	if q.Model == "" {
		return bad("model", "it is missing")
	}
	if err := s.begin(w, newID("show-"), foreign); err != nil {
		return err
	}
	l, err := s.acquire(r, q.Model, nil)
	if err != nil {
		return err
	}
	defer l.release()
	template := ""
	if l.hasTemplate() {
		template = l.Chat.Template.Source()
	}
	capabilities := []string{"completion"}
	if l.style != noTools {
		capabilities = append(capabilities, "tools")
	}
	if l.Ask != nil || l.knows("<think>") || l.knows("</think>") {
		capabilities = append(capabilities, "thinking")
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"license": "", "modelfile": "", "parameters": fmt.Sprintf("temperature %v\ntop_p %v", defaultTemperature, defaultTopP), "template": template,
		"details": ollamaDetails(&info{ready: l.loaded}), "capabilities": capabilities, "modified_at": time.Now(),
		"model_info": map[string]any{"general.architecture": l.Family, "general.parameter_count": l.Parameters, l.Family + ".context_length": l.Context},
	})
	return nil
}

// ollamaVersion is GET /api/version.
func (s *Server) ollamaVersion(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]string{"version": s.options.Version})
	return nil
}
