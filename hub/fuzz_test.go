package hub

import (
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParseReference: what is read is written as it is read, and leads nowhere outside a store.
func FuzzParseReference(f *testing.F) {
	for _, text := range []string{"hf:org/name@main:Q4_K_M", "ollama:hf.co/a/b:c", "r1-distill-qwen-7b:Q8_0", "hf:../..", "ollama:.."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReference(text)
		if err != nil {
			return
		}
		again, err := ParseReference(r.String())
		again.Alias = r.Alias
		if err != nil || again != r {
			t.Errorf("%q is %+v, which is written %s and read %+v, %v", text, r, r, again, err)
		}
		for _, path := range []string{manifestPath(r.Ollama), cacheFolder(r.Repo), filepath.Join("refs", r.Revision)} {
			if path != "" && !filepath.IsLocal(path) || strings.Contains(r.Revision, "..") {
				t.Errorf("%q leads to %s", text, path)
			}
		}
	})
}

// FuzzManifest reads manifests that no Ollama wrote.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:` + strings.Repeat("a", 64) + `","size":1}]}`))
	f.Add([]byte(`{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:../../x","size":1}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		o := Options{OllamaDir: dir}
		if local, err := o.readManifest(data); err == nil {
			t.Errorf("found %+v in an empty store", local)
		}
	})
}
