package doctor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/runstore"
)

const quietStat = "cpu  100 0 100 1000 0 0 0 0 0 0\n"

// healthy is a machine and an installation without a fault: a fake kernel, a cache with one whole model, one run with a checkpoint.
func healthy(t *testing.T) *Place {
	t.Helper()
	top := t.TempDir()
	p := &Place{
		Root: filepath.Join(top, "root"), Now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Built: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Threads: 1,
		Hub:    hub.Options{CacheDir: filepath.Join(top, "hub"), OllamaDir: filepath.Join(top, "ollama")},
		Packed: filepath.Join(top, "packed"),
		Runs:   filepath.Join(top, "runs"), Settings: filepath.Join(top, "config.yaml"), KeyFiles: []string{filepath.Join(top, "key")}, Listen: "127.0.0.1:0",
		Files:   func() (uint64, bool) { return 1 << 16, true },
		Folders: map[string]string{"conversations": filepath.Join(top, "chats")},
		Known:   func(name string) (string, bool) { return "RETORT_SLOTS", name == "RETORT_SLOTS" },
		Program: func(_ context.Context, level string) (SelfTest, error) { return SelfTest{Level: level}, nil },
		Sandbox: func(context.Context) (bool, string) { return true, "" },
		Lookup:  func(string) (string, bool) { return "", false },
	}
	p.Pause = func(context.Context) { write(t, p.system("proc/stat"), "cpu  101 0 100 1100 0 0 0 0 0 0\n", 0o644) }
	for path, text := range map[string]string{
		p.system("proc/stat"): quietStat, p.system("proc/meminfo"): "MemTotal: 16000000 kB\nMemAvailable: 12000000 kB\n",
		p.system("proc/self/cgroup"): "0::/user/me\n", p.system("sys/fs/cgroup/cpu.max"): "max 100000\n", p.system("sys/fs/cgroup/user/me/cpu.max"): "200000 100000\n",
		p.system("sys/fs/cgroup/user/memory.max"): "max\n", p.system("sys/fs/cgroup/user/memory.current"): "5\n",
		p.system("sys/kernel/mm/transparent_hugepage/enabled"): "always [madvise] never\n", p.Settings: "{}\n",
	} {
		write(t, path, text, 0o644)
	}
	write(t, p.KeyFiles[0], "a key\n", 0o600)
	store(t, p, "org/tiny", "tiny-F32.gguf", tinyGGUF(t))
	makeRun(t, p)
	return p
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err = errors.Join(err, os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// tinyGGUF is a file with one tensor of four numbers, made by hand after the specification of GGUF.
func tinyGGUF(t *testing.T) string {
	t.Helper()
	var b []byte
	number := func(x uint64, bytes int) {
		for range bytes {
			b = append(b, byte(x))
			x >>= 8
		}
	}
	text := func(s string) { number(uint64(len(s)), 8); b = append(b, s...) }
	b = append(b, "GGUF"...)
	number(3, 4)
	number(1, 8) // tensors
	number(1, 8) // metadata
	text("general.architecture")
	number(8, 4)
	text("qwen2")
	text("output.weight")
	number(1, 4)
	number(4, 8)
	number(0, 4)
	number(0, 8)
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	return string(append(b, make([]byte, 16)...))
}

const commit = "0123456789abcdef0123456789abcdef01234567"

// store puts a file into the cache as Hugging Face's tools do, and returns its blob.
func store(t *testing.T, p *Place, repo, name, text string) (blob string) {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	folder := filepath.Join(p.Hub.CacheDir, "models--"+strings.ReplaceAll(repo, "/", "--"))
	blob = filepath.Join(folder, "blobs", hex.EncodeToString(sum[:]))
	write(t, blob, text, 0o644)
	write(t, filepath.Join(folder, "refs", "main"), commit, 0o644)
	link := filepath.Join(folder, "snapshots", commit, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(filepath.Join("..", "..", "blobs", filepath.Base(blob)), link)); err != nil {
		t.Skip(err)
	}
	return blob
}

func makeRun(t *testing.T, p *Place) {
	t.Helper()
	r, err := runstore.Create(filepath.Join(p.Runs, "warm"), runstore.Manifest{
		Kind: "sft", Config: json.RawMessage(`{}`), Build: "b", Level: "generic", Metrics: []runstore.Metric{{Name: "loss", Unit: "nat", Formula: "mean"}}, Created: p.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		r.AppendMetrics(1, []runstore.Value{{Name: "loss", Number: 1}}),
		r.Checkpoint(1, func(dir string) error { return os.WriteFile(filepath.Join(dir, "weights"), []byte("1234"), 0o644) }),
		r.Finish(runstore.StatusDone), r.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// look makes the checks and returns what is worse than a note.
func look(t *testing.T, p *Place) (bad []Finding) {
	t.Helper()
	seen := map[string]bool{}
	_, err := Look(t.Context(), p, func(f Finding) {
		seen[f.Check] = true
		if f.Found == "" || strings.ContainsAny(f.Found, "\n\x1b") {
			t.Errorf("%s: %q is no line", f.Check, f.Found)
		}
		if f.Status == Warning || f.Status == Fault {
			bad = append(bad, f)
		}
	})
	if err != nil || len(seen) != len(checks) {
		t.Errorf("%v, %d of %d checks said something", err, len(seen), len(checks))
	}
	return bad
}

func TestHealthyPlaceHasNoFault(t *testing.T) {
	if kernel.Level() == "generic" {
		t.Skip("not run: plain Go alone is a warning of its own")
	}
	p := healthy(t)
	p.Deep = true
	for _, f := range look(t, p) {
		t.Errorf("%+v", f)
	}
}

// plants are the faults, one at a time in a healthy place; each is found by the check of that name, and by no other.
var plants = []struct {
	check  string
	status Status
	found  string // a part
	plant  func(t *testing.T, p *Place)
}{
	{"processor", Warning, "GODEBUG=cpu.avx2=off", func(_ *testing.T, p *Place) { set(p, "GODEBUG", "cpu.avx2=off") }},
	{"kernels", Fault, "wrong number", func(_ *testing.T, p *Place) {
		p.Program = func(_ context.Context, level string) (SelfTest, error) {
			return SelfTest{Level: level, Fault: "wrong number"}, nil
		}
	}},
	{"kernels", Fault, "illegal instruction", func(_ *testing.T, p *Place) {
		p.Program = func(context.Context, string) (SelfTest, error) { return SelfTest{}, errors.New("illegal instruction") }
	}},
	{"cores", Warning, "a quota of 1.5 processors for 2 threads", func(t *testing.T, p *Place) {
		p.Threads = 2
		write(t, p.system("sys/fs/cgroup/user/cpu.max"), "150000 100000\n", 0o644)
	}},
	{"cores", Warning, "10000 threads on", func(t *testing.T, p *Place) {
		p.Threads = 10000
		write(t, p.system("sys/fs/cgroup/user/me/cpu.max"), "max 100000\n", 0o644)
	}},
	{"neighbours", Warning, "other programs use 90 %", func(t *testing.T, p *Place) {
		p.Pause = func(context.Context) { write(t, p.system("proc/stat"), "cpu  190 0 100 1010 0 0 0 0\n", 0o644) }
	}},
	{"neighbours", Warning, "other virtual machines take 20 %", func(t *testing.T, p *Place) {
		p.Pause = func(context.Context) { write(t, p.system("proc/stat"), "cpu  100 0 100 1080 0 0 0 20\n", 0o644) }
	}},
	{"memory", Fault, "97.7 MiB are free (the machine)", func(t *testing.T, p *Place) {
		write(t, p.system("proc/meminfo"), "MemAvailable: 100000 kB\n", 0o644)
	}},
	{"memory", Warning, "500 MiB are free (the control group)", func(t *testing.T, p *Place) {
		write(t, p.system("sys/fs/cgroup/user/memory.max"), "524288005\n", 0o644)
	}},
	{"large-pages", Warning, "switched off", func(t *testing.T, p *Place) {
		write(t, p.system("sys/kernel/mm/transparent_hugepage/enabled"), "always madvise [never]\n", 0o644)
	}},
	{"open-files", Warning, "256 files", func(_ *testing.T, p *Place) { p.Files = func() (uint64, bool) { return 256, true } }},
	{"open-files", Fault, "20 files", func(_ *testing.T, p *Place) { p.Files = func() (uint64, bool) { return 20, true } }},
	{"clock", Fault, "1970-01-01", func(_ *testing.T, p *Place) { p.Now = time.Unix(0, 0); p.Runs = "" }},
	{"folders", Fault, "is no folder", func(t *testing.T, p *Place) { write(t, p.Folders["conversations"], "x", 0o644) }},
	{"folders", Fault, "every user can replace", func(t *testing.T, p *Place) {
		if err := os.Chmod(p.Hub.CacheDir, 0o777); err != nil {
			t.Fatal(err)
		}
	}},
	{"downloads", Warning, "1 broken downloads and 1 files", func(t *testing.T, p *Place) {
		for _, name := range []string{strings.Repeat("a", 64) + ".incomplete", "0123"} {
			path := filepath.Join(p.Hub.CacheDir, "models--org--tiny", "blobs", name)
			write(t, path, "half", 0o644)
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}},
	{"links", Fault, "org/tiny: README.md leads nowhere", func(t *testing.T, p *Place) {
		if err := os.Symlink("../../blobs/none", filepath.Join(p.Hub.CacheDir, "models--org--tiny", "snapshots", commit, "README.md")); err != nil {
			t.Fatal(err)
		}
	}},
	{"models", Fault, "hf:org/cut", func(t *testing.T, p *Place) {
		text := tinyGGUF(t)
		store(t, p, "org/cut", "cut-F32.gguf", text[:len(text)-8])
	}},
	{"models", Fault, "its bytes are not those that were fetched", func(t *testing.T, p *Place) {
		blob := store(t, p, "org/flipped", "flipped-F32.gguf", tinyGGUF(t)+"more")
		write(t, blob, tinyGGUF(t)+"move", 0o644)
	}},
	{"models", Fault, "sha256-", func(t *testing.T, p *Place) {
		write(t, filepath.Join(p.Hub.OllamaDir, "blobs", "sha256-"+strings.Repeat("0", 64)), "x", 0o644)
	}},
	{"packed", Warning, "1 packed copies of no use", func(t *testing.T, p *Place) { write(t, filepath.Join(p.Packed, "old.packed"), "old", 0o644) }},
	{"runs", Fault, "run.json", func(t *testing.T, p *Place) { write(t, filepath.Join(p.Runs, "warm", "run.json"), "{", 0o644) }},
	{"runs", Fault, "metrics.jsonl", func(t *testing.T, p *Place) {
		write(t, filepath.Join(p.Runs, "warm", "metrics.jsonl"), "no line\n", 0o644)
	}},
	{"runs", Fault, "checkpoint step-00000001: weights: damaged: got 3 bytes, want 4", func(t *testing.T, p *Place) {
		write(t, filepath.Join(p.Runs, "warm", "checkpoints", "step-00000001", "weights"), "123", 0o644)
	}},
	{"runs", Fault, "with sha256", func(t *testing.T, p *Place) {
		p.Deep = true
		write(t, filepath.Join(p.Runs, "warm", "checkpoints", "step-00000001", "weights"), "1235", 0o644)
	}},
	{"settings", Fault, "config.yaml:3", func(_ *testing.T, p *Place) { p.Fault = errors.New("config.yaml:3: unknown key") }},
	{"settings", Fault, "every user can change", func(t *testing.T, p *Place) { write(t, p.Settings, "{}\n", 0o666) }},
	{"variables", Warning, "RETORT_SLOT is set, and nothing reads it", func(_ *testing.T, p *Place) { p.Names = []string{"HOME", "RETORT_SLOT", "RETORT_SLOTS"} }},
	{"token", Fault, "HF_TOKEN holds a character", func(_ *testing.T, p *Place) { set(p, "HF_TOKEN", "hf_geheimgeheimgeheim\n") }},
	{"token", Warning, "does not look like a token", func(_ *testing.T, p *Place) { set(p, "HF_TOKEN", "geheimgeheimgeheimgeheim") }},
	{"endpoint", Fault, "not encrypted", func(_ *testing.T, p *Place) { p.Hub.Endpoint = "http://mirror.example" }},
	{"endpoint", Fault, "is no address", func(_ *testing.T, p *Place) { p.Hub.Endpoint = "mirror.example" }},
	{"endpoint", Fault, "HTTPS_PROXY", func(_ *testing.T, p *Place) { set(p, "HTTPS_PROXY", "proxy") }},
	{"keys", Fault, "holds a key that other users can read", func(t *testing.T, p *Place) { write(t, p.KeyFiles[0], "a key\n", 0o644) }},
	{"keys", Warning, "is empty", func(t *testing.T, p *Place) { write(t, p.KeyFiles[0], "", 0o600) }},
	{"port", Warning, "is taken by another program", func(t *testing.T, p *Place) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		p.Listen = l.Addr().String()
	}},
	{"port", Warning, "is taken by a server of Retort", func(t *testing.T, p *Place) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"data":[{"id":"m","owned_by":"retort"}]}`)
		}))
		t.Cleanup(s.Close)
		p.Listen = s.Listener.Addr().String()
	}},
}

func set(p *Place, name, value string) {
	p.Names = append(p.Names, name)
	p.Lookup = func(asked string) (string, bool) { return value, asked == name }
}

func TestDoctorFindsFaults(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not run: modes and links are those of Unix")
	}
	found := map[string]bool{}
	for _, c := range plants {
		t.Run(c.check+": "+c.found, func(t *testing.T) {
			p := healthy(t)
			c.plant(t, p)
			isGeneric := func(f Finding) bool {
				return f.Check == "processor" && kernel.Level() == "generic" && c.check != "processor"
			}
			isOther := func(f Finding) bool {
				return f.Check != c.check || f.Status != c.status || !strings.Contains(f.Found, c.found)
			}
			bad := slices.DeleteFunc(look(t, p), isGeneric)
			for try := 0; try < 4 && c.check == "port" && slices.ContainsFunc(bad, isOther); try++ { // whoever listens has a second to say who it is
				bad = slices.DeleteFunc(look(t, p), isGeneric)
			}
			if len(bad) == 0 || len(bad) > 1 && c.check != "kernels" || slices.ContainsFunc(bad, isOther) {
				t.Errorf("got %+v, want a %s of %s with %q", bad, c.status, c.check, c.found)
			}
			for _, f := range bad {
				if f.Do == "" && f.Check != "neighbours" {
					t.Errorf("%s: nothing to do about %q", f.Check, f.Found)
				}
				if strings.Contains(f.Found+f.Do, "geheim") {
					t.Errorf("%s tells a secret", f.Check)
				}
			}
		})
		found[c.check] = true
	}
	t.Logf("%d faults of %d checks", len(plants), len(found))
}

func TestDiskIsMeasured(t *testing.T) {
	p := healthy(t)
	if f := disk(t.Context(), p); len(f) == 0 || !strings.Contains(f[0].Found, " left") {
		t.Errorf("got %+v", f)
	}
}

// TestNothingIsToldIsNoFault: a system that says nothing about itself has notes.
func TestNothingIsToldIsNoFault(t *testing.T) {
	p := &Place{Root: t.TempDir(), Threads: 1, Pause: func(context.Context) {}}
	for _, f := range look(t, p) {
		if f.Check != "processor" && f.Check != "cores" {
			t.Errorf("%+v", f)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Look(ctx, p, func(Finding) { t.Error("a check was made") }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestShort(t *testing.T) {
	all := make([]Finding, most+3)
	all[most+1].Status = Fault
	if got := short(all); len(got) != most+1 || got[most].Status != Fault || got[most].Found != "and 3 more" {
		t.Errorf("got %+v", got)
	}
	for n, want := range map[int64]string{0: "0 bytes", 2048: "2 KiB", 1 << 62: "4.19e+06 TiB"} {
		if got := size(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
