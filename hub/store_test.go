package hub

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseReference(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // Reference.String, or a part of the error behind "!"
	}{
		{"hf:org/name", "hf:org/name"},
		{"hf:org/name:q4_k_m", "hf:org/name:q4_k_m"},
		{"hf:org/name@refs/pr/3:Q8_0", "hf:org/name@refs/pr/3:Q8_0"},
		{"ollama:deepseek-r1:1.5b", "ollama:deepseek-r1:1.5b"},
		{"ollama:hf.co/org/name", "ollama:hf.co/org/name:latest"},
		{"r1-distill-qwen-1.5b", "hf:unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF:Q4_K_M"},
		{"DeepSeek-R1-Distill-Llama-70B:Q2_K", "hf:unsloth/DeepSeek-R1-Distill-Llama-70B-GGUF:Q2_K"},
		{"r1-distill-qwen-32b:safetensors", "hf:deepseek-ai/DeepSeek-R1-Distill-Qwen-32B:safetensors"},
		{"hf:name", "!want hf:ORG/NAME"},
		{"hf:org/../x", "!want hf:ORG/NAME"},
		{"hf:org/a--b", "!want hf:ORG/NAME"},
		{"hf:org/name@../../etc", "!want a branch"},
		{"hf:org/name:", "!format"},
		{"hf:org/name:a/b", "!format"},
		{"r1-distill-qwen-7b:../x", "!format"},
		{"ollama:../../etc/passwd", "!want ollama:"},
		{"ollama:", "!want ollama:"},
		{"r1", "!want hf:ORG/NAME"},
		{"", "!want hf:ORG/NAME"},
	} {
		r, err := ParseReference(c.text)
		if want, isError := strings.CutPrefix(c.want, "!"); isError {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", c.text, err, want)
			}
			continue
		}
		if err != nil || r.String() != c.want {
			t.Errorf("%q: %s, %v, want %s", c.text, r, err, c.want)
		}
	}
	if n := len(Aliases()); n != 12 {
		t.Errorf("%d aliases, want two names for each of six models", n)
	}
}

func TestChoose(t *testing.T) {
	files := func(names ...string) (list []File) {
		for _, n := range names {
			list = append(list, File{Path: n, Size: 1})
		}
		return list
	}
	gguf := files("README.md", "m-Q8_0.gguf", "m.Q4_K_M.gguf", "mmproj-F16.gguf", "m-imatrix.gguf", "UD/m-UD-Q2_K_XL.gguf",
		"BF16/m-BF16-00001-of-00002.gguf", "BF16/m-BF16-00002-of-00002.gguf", "m-IQ4_XS-00001-of-00002.gguf")
	whole := files("config.json", "model.safetensors", "tokenizer.json", "original/model.safetensors", "pytorch_model.bin")
	sharded := files("config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json")
	for _, c := range []struct {
		files []File
		quant string
		want  string // main and the names, or a part of the error behind "!"
	}{
		{gguf, "", "m.Q4_K_M.gguf: m.Q4_K_M.gguf"},
		{gguf, "q8_0", "m-Q8_0.gguf: m-Q8_0.gguf"},
		{gguf, "UD-Q2_K_XL", "UD/m-UD-Q2_K_XL.gguf: UD/m-UD-Q2_K_XL.gguf"},
		{gguf, "bf16", "BF16/m-BF16-00001-of-00002.gguf: BF16/m-BF16-00001-of-00002.gguf BF16/m-BF16-00002-of-00002.gguf"},
		{gguf, "Q6_K", "!it has no Q6_K, but Q4_K_M, Q8_0"},
		{whole, "", ": config.json model.safetensors tokenizer.json"},
		{sharded, "safetensors", ": config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json tokenizer.json"},
		{files("README.md"), "", "!neither"},
		{slices.Concat(whole, gguf), "", ": config.json model.safetensors tokenizer.json"},
	} {
		v, err := choose(c.files, c.quant)
		if want, isError := strings.CutPrefix(c.want, "!"); isError {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.quant, err, want)
			}
			continue
		}
		var names []string
		for _, f := range v.files {
			names = append(names, f.Path)
		}
		if got := v.main + ": " + strings.Join(names, " "); err != nil || got != c.want || v.lacks != "" {
			t.Errorf("%s: %s, %v, lacks %q; want %s", c.quant, got, err, v.lacks, c.want)
		}
	}
	for _, c := range []struct {
		files []File
		quant string
		want  string
	}{
		{gguf, "IQ4_XS", "1 of 2 parts"}, {sharded[:2], "", "config"}, {whole[1:], "", "config.json"},
	} {
		if v, err := choose(c.files, c.quant); err != nil || !strings.Contains(v.lacks+" config", c.want) || v.lacks == "" {
			t.Errorf("%s: lacks %q, %v, want %q", c.quant, v.lacks, err, c.want)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	home := filepath.Join("home", "x")
	for _, c := range []struct {
		variables map[string]string
		cache     string
		ollama    string
	}{
		{nil, filepath.Join(home, ".cache", "huggingface", "hub"), filepath.Join(home, ".ollama", "models")},
		{map[string]string{"XDG_CACHE_HOME": "x", "OLLAMA_MODELS": "o"}, filepath.Join("x", "huggingface", "hub"), "o"},
		{map[string]string{"XDG_CACHE_HOME": "x", "HF_HOME": "h"}, filepath.Join("h", "hub"), filepath.Join(home, ".ollama", "models")},
		{map[string]string{"HF_HOME": "h", "HF_HUB_CACHE": "c"}, "c", filepath.Join(home, ".ollama", "models")},
	} {
		o := FromEnvironment(func(name string) string { return c.variables[name] }, home)
		if o.CacheDir != c.cache || o.OllamaDir != c.ollama {
			t.Errorf("%v: %q and %q, want %q and %q", c.variables, o.CacheDir, o.OllamaDir, c.cache, c.ollama)
		}
	}
	o := FromEnvironment(func(name string) string {
		return map[string]string{"HF_TOKEN": " t\n", "HF_ENDPOINT": "https://mirror.example/", "HF_HUB_OFFLINE": "1"}[name]
	}, "")
	if u, err := o.endpoint(); o.Token != "t" || err != nil || u.String() != "https://mirror.example" || !o.Offline || o.CacheDir != "" {
		t.Errorf("%+v, %v", o, err)
	}
}

// repos is what the local hub has.
func repos() map[string]map[string][]byte {
	return map[string]map[string][]byte{
		"org/gguf": {"README.md": []byte("read me"), "m-Q4_K_M.gguf": noise(5000, 1), "m-Q8_0.gguf": noise(9000, 2)},
		"org/tensors": {
			"config.json": []byte(`{"x":1}`), "tokenizer.json": noise(2000, 4), "empty/x.txt": nil, "special_tokens_map.json": {},
			"model-00001-of-00002.safetensors": noise(6000, 5), "model-00002-of-00002.safetensors": noise(3000, 6),
			"model.safetensors.index.json": []byte(`{"weight_map":{}}`),
		},
	}
}

func pull(t *testing.T, text string, o Options) Local {
	t.Helper()
	r, err := ParseReference(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	local, err := p.Pull(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return local
}

func TestPullIntoTheCache(t *testing.T) {
	s := newHubServer(t, repos())
	s.perPage = 2
	o := s.options(t.TempDir())
	if _, err := Resolve("hf:org/tensors", o); err == nil {
		t.Fatal("found before it was fetched")
	} else if missing := (*NotHereError)(nil); !errors.As(err, &missing) || missing.Reference.Repo != "org/tensors" {
		t.Fatal(err)
	}
	s.fault(dropAfter(1000), dropAfter(2))
	local := pull(t, "hf:org/tensors", o)
	dir := filepath.Join(o.CacheDir, "models--org--tensors", "snapshots", testCommit)
	if local.Path != dir {
		t.Errorf("the model is at %s, want %s", local.Path, dir)
	}
	folderIs(t, dir, "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "special_tokens_map.json", "tokenizer.json")
	for name, data := range s.repos["org/tensors"] {
		if name == "empty/x.txt" {
			continue
		}
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != string(data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		blob := gitOf(data)
		if len(data) >= largeFile {
			blob = sha256Of(data)
		}
		if target, err := os.Readlink(filepath.Join(dir, name)); err != nil || target != filepath.Join("..", "..", "blobs", blob) {
			t.Errorf("%s leads to %q, %v", name, target, err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(o.CacheDir, "models--org--tensors", "refs", "main")); err != nil || string(data) != testCommit {
		t.Errorf("refs/main is %q, %v", data, err)
	}
	// Then all of it is found without a connection, under every one of its names.
	o.Offline = true
	for _, text := range []string{"hf:org/tensors", "hf:org/tensors:safetensors", "org/tensors", "hf:org/tensors@" + testCommit, dir} {
		if got, err := Resolve(text, o); err != nil || got.Path != dir {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	if _, err := NewPlan(t.Context(), Reference{Repo: "org/tensors"}, o); err == nil || !strings.Contains(err.Error(), "offline") {
		t.Errorf("a plan while offline: %v", err)
	}
}

func TestPlanTellsSizes(t *testing.T) {
	s := newHubServer(t, repos())
	o := s.options(filepath.Join(t.TempDir(), "not", "there"))
	p, err := NewPlan(t.Context(), Reference{Repo: "org/gguf"}, o)
	if err != nil {
		t.Fatal(err)
	}
	total, missing := p.Bytes()
	if free, err := p.Free(); total != 5000 || missing != 5000 || free < 1 || err != nil || p.Reference.Quant != "Q4_K_M" {
		t.Errorf("%d bytes, %d missing, %d free, %v, %s", total, missing, free, err, p.Reference)
	}
	if n := s.count("store"); n != 0 || isFileThere(o.CacheDir) {
		t.Errorf("%d bytes were fetched for the plan, or a folder was made", n)
	}
	o.Retries = 1
	p.options.Retries = 1
	s.fault(dropAfter(1200), status(500), status(500))
	if _, err := p.Pull(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if p, err = NewPlan(t.Context(), Reference{Repo: "org/gguf"}, o); err != nil {
		t.Fatal(err)
	}
	if total, missing := p.Bytes(); total != 5000 || missing != 3800 {
		t.Errorf("after 1200 bytes %d of %d are missing", missing, total)
	}
	if _, err := p.Pull(t.Context()); err != nil || s.count("store GET /org/gguf/m-Q4_K_M.gguf bytes=1200-") == 0 {
		t.Errorf("%v: %q", err, s.requests)
	}
}

func TestPullFileAhead(t *testing.T) {
	s := newHubServer(t, repos())
	o := s.options(t.TempDir())
	p, err := NewPlan(t.Context(), Reference{Repo: "org/tensors"}, o)
	if err != nil {
		t.Fatal(err)
	}
	path, err := p.PullFile(t.Context(), "config.json")
	if data, readErr := os.ReadFile(path); err != nil || readErr != nil || string(data) != `{"x":1}` || s.count("store") != 0 {
		t.Errorf("%q, %v, %v", data, err, readErr)
	}
	if _, err := p.PullFile(t.Context(), "absent.json"); err == nil || !strings.Contains(err.Error(), "the plan has no file") {
		t.Errorf("%v", err)
	}
	if _, err := Resolve("hf:org/tensors", o); err == nil {
		t.Error("a config alone counts as the model")
	}
	if _, err := p.Pull(t.Context()); err != nil || s.count("hub GET /org/tensors/resolve/"+testCommit+"/config.json") != 1 {
		t.Errorf("%v: the config was fetched again", err)
	}
}

// TestHostileHub answers with what must not become a path, a hash or another host.
func TestHostileHub(t *testing.T) {
	hash := strings.Repeat("a", 40)
	for _, c := range []struct{ sha, tree, link, want string }{
		{"../x", "[]", "", "want a commit"},
		{testCommit, `[{"type":"file","path":"../../m.gguf","size":1,"oid":"` + hash + `"}]`, "", "with the name"},
		{testCommit, `[{"type":"file","path":"/m.gguf","size":1,"oid":"` + hash + `"}]`, "", "with the name"},
		{testCommit, `[{"type":"file","path":"a\\m.gguf","size":1,"oid":"` + hash + `"}]`, "", "with the name"},
		{testCommit, `[{"type":"file","path":"m.gguf","size":1,"oid":"../../etc"}]`, "", "without a hash"},
		{testCommit, `[{"type":"file","path":"m.gguf","size":1,"oid":"x","lfs":{"oid":"sha","size":3}}]`, "", "without a hash"},
		{testCommit, `[{"type":"file","path":"m.gguf","size":-1,"oid":"` + hash + `"}]`, "", "with -1 bytes"},
		{testCommit, `[]`, `<http://elsewhere.example/api>; rel="next"`, "another host"},
		{testCommit, `[]`, `<SELF>; rel="next"`, "more than 20 pages"},
		{testCommit, `{"error":1}`, "", "not an answer of a hub"},
		{testCommit, `[]`, "", "neither a GGUF file"},
	} {
		s := newHubServer(t, nil)
		s.hub.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/revision/") {
				fmt.Fprintf(w, `{"sha":%q}`, c.sha)
				return
			}
			if c.link != "" {
				w.Header().Set("Link", strings.ReplaceAll(c.link, "SELF", s.hub.URL+r.URL.Path))
			}
			fmt.Fprint(w, c.tree)
		})
		_, err := NewPlan(t.Context(), Reference{Repo: "org/x"}, s.options(t.TempDir()))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// ollamaStore makes a store with one model.
func ollamaStore(t *testing.T) (dir, blob string) {
	dir = t.TempDir()
	data := noise(1234, 8)
	blob = filepath.Join(dir, "blobs", "sha256-"+sha256Of(data))
	write := func(path, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write(blob, string(data))
	manifest := func(layer string) string {
		return `{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.ollama.image.template","digest":"sha256:x","size":1},` + layer + `]}`
	}
	model := fmt.Sprintf(`{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":1234}`, sha256Of(data))
	library := filepath.Join(dir, "manifests", "registry.ollama.ai", "library")
	write(filepath.Join(library, "deepseek-r1", "1.5b"), manifest(model))
	write(filepath.Join(library, "short", "latest"), manifest(strings.Replace(model, "1234}", "1235}", 1)))
	write(filepath.Join(library, "outside", "latest"), manifest(`{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:../../../etc/passwd","size":1}`))
	write(filepath.Join(library, "adapted", "latest"), manifest(model+`,{"mediaType":"application/vnd.ollama.image.adapter","digest":"sha256:x","size":1}`))
	write(filepath.Join(library, "bad", "latest"), "{")
	write(filepath.Join(dir, "manifests", "hf.co", "org", "name", "Q8_0"), manifest(model))
	return dir, blob
}

func TestOllamaInPlace(t *testing.T) {
	dir, blob := ollamaStore(t)
	o := Options{OllamaDir: dir, CacheDir: t.TempDir()}
	for _, c := range []struct{ text, want string }{
		{"ollama:deepseek-r1:1.5b", blob},
		{"deepseek-r1:1.5b", blob},
		{"hf.co/org/name:Q8_0", blob},
		{"ollama:deepseek-r1", "!is not in Ollama's store"},
		{"ollama:short", "!have 1234 bytes, want 1235"},
		{"ollama:short:latest", "!have 1234 bytes, want 1235"},
		{"ollama:outside", "!with a sha256"},
		{"ollama:adapted", "!image.adapter, which is not read"},
		{"ollama:bad", "!manifest"},
		{"deepseek-r1:8b", "!671 billion parameters"},
		{"R1", "!deepseek-r1-distill-qwen-1.5b"},
		{"deepseek-r2", "!neither a file or a folder nor the name of a model"},
	} {
		local, err := Resolve(c.text, o)
		if want, isError := strings.CutPrefix(c.want, "!"); isError {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", c.text, err, want)
			}
			continue
		}
		if err != nil || local.Path != c.want || local.Store != Ollama || local.Bytes != 1234 {
			t.Errorf("%s: %+v, %v", c.text, local, err)
		}
	}
	models, err := List(o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range models {
		names = append(names, m.Reference.String()+" "+m.Lacks)
	}
	if want := "ollama:deepseek-r1:1.5b "; len(names) != 6 || !slices.Contains(names, want) {
		t.Errorf("the list is %q, want 6 with %q", names, want)
	}
	var unknown *UnknownError
	if _, err := Resolve("deepseek-r1-distil-qwen-1.5b", o); !errors.As(err, &unknown) || !slices.Contains(unknown.Known, "deepseek-r1-distill-qwen-1.5b") || !slices.Contains(unknown.Known, "deepseek-r1:1.5b") {
		t.Errorf("%v knows %q", err, unknown.Known)
	}
	if _, err := models[0].PlanRemoval(o); err == nil || !strings.Contains(err.Error(), "ollama rm") {
		t.Errorf("removal from Ollama's store: %v", err)
	}
}

func TestAliasTakesWhatIsHere(t *testing.T) {
	files := map[string][]byte{"config.json": []byte("{}"), "model.safetensors": noise(2000, 3)}
	s := newHubServer(t, map[string]map[string][]byte{"deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": files})
	o := s.options(t.TempDir())
	want := pull(t, "r1-distill-qwen-7b:safetensors", o)
	if got, err := Resolve("r1-distill-qwen-7b", o); err != nil || got.Path != want.Path {
		t.Errorf("%+v, %v, want %s", got, err, want.Path)
	}
	if _, err := Resolve("r1-distill-qwen-7b:Q8_0", o); err == nil {
		t.Error("a format that is not here was found")
	}
}

// TestRemove removes the models of a repository one after another.
func TestRemove(t *testing.T) {
	s := newHubServer(t, repos())
	o := s.options(t.TempDir())
	pull(t, "hf:org/gguf:Q4_K_M", o)
	pull(t, "hf:org/gguf:Q8_0", o)
	pull(t, "hf:org/tensors", o)
	// A second commit that shares a file.
	s.commit = strings.Repeat("b", 40)
	pull(t, "hf:org/gguf:Q8_0", o)
	models, err := List(o)
	if err != nil || len(models) != 4 {
		t.Fatalf("%d models, %v", len(models), err)
	}
	var names []string
	for _, m := range models {
		names = append(names, m.Reference.String())
	}
	if want := []string{"hf:org/gguf:Q8_0", "hf:org/gguf@" + testCommit + ":Q4_K_M", "hf:org/gguf@" + testCommit + ":Q8_0", "hf:org/tensors:safetensors"}; !slices.Equal(names, want) {
		t.Errorf("the list is %q, want %q", names, want)
	}
	blobs, err := models[0].Blobs(o)
	shared := slices.IndexFunc(blobs, func(b Blob) bool { return b.Bytes == 9000 })
	if err != nil || len(blobs) != 2 || shared < 0 || len(blobs[shared].Users) != 2 {
		t.Fatalf("%+v, %v", blobs, err)
	}
	repo := filepath.Join(o.CacheDir, "models--org--gguf")
	for i, want := range []int64{0, 5000, 9000} {
		r, err := models[i].PlanRemoval(o)
		if err != nil || r.Bytes != want {
			t.Errorf("%s: %+v, %v, want %d bytes", names[i], r, err, want)
			continue
		}
		if err := r.Remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(repo, "blobs", sha256Of(s.repos["org/gguf"]["m-Q8_0.gguf"]))); (err == nil) != (i < 2) {
			t.Errorf("after %s: %v", names[i], err)
		}
	}
	if isFileThere(repo) {
		t.Error("the empty repository is still there")
	}
	if models, err = List(o); err != nil || len(models) != 1 {
		t.Errorf("%d models are left, %v", len(models), err)
	}
}

func TestPrune(t *testing.T) {
	s := newHubServer(t, repos())
	o := s.options(t.TempDir())
	pull(t, "hf:org/gguf:Q4_K_M", o)
	blobs := filepath.Join(o.CacheDir, "models--org--gguf", "blobs")
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"aa.incomplete", "bb", "cc.incomplete", "dd.incomplete"} {
		if err := os.WriteFile(filepath.Join(blobs, name), make([]byte, 100), 0o644); err != nil {
			t.Fatal(err)
		}
		if name != "dd.incomplete" { // which is new
			if err := os.Chtimes(filepath.Join(blobs, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	release, err := acquire(t.Context(), filepath.Join(o.CacheDir, ".locks", "models--org--gguf", "cc.lock"), false, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	r, err := PlanPrune(o)
	if err != nil || r.Bytes != 200 || r.Remove() != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	folderIs(t, blobs, "cc.incomplete", "dd.incomplete", sha256Of(s.repos["org/gguf"]["m-Q4_K_M.gguf"]))
}
