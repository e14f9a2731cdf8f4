package model

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// mixedFile writes a model whose matrices have many formats, and returns its path.
func mixedFile(t testing.TB, seed uint64) string {
	t.Helper()
	c := wide(Llama, false)
	m, err := New(c, seed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	from := m.source(weights.GGUF, tensor.F32)
	err = writeGGUF(&m.config, path, tensor.Q4_K, nil, func(v *view) (weights.NamedTensor, error) {
		n, err := from(v)
		if len(v.shape) == 2 {
			n.Format = mixed(v.name)
		}
		return n, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// loadFrom opens a model with a folder of copies.
func loadFrom(t testing.TB, path, copies string) (*Model, *Packed) {
	t.Helper()
	f, err := OpenFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, p, err := f.Load(copies)
	if err != nil {
		t.Fatal(err)
	}
	return m, p
}

// samePanels wants the panels of two models to be the same bits.
func samePanels(t testing.TB, a, b *Model) {
	t.Helper()
	parts := 0
	for i, w := range a.base.list {
		for j, q := range w.Quantised {
			parts++
			if other := b.base.list[i].Quantised[j]; q.Format != other.Format || !bytes.Equal(q.Panels, other.Panels) {
				t.Errorf("%s rows %d on: the panels differ", w.Name, q.First)
			}
		}
	}
	if parts == 0 {
		t.Error("nothing is quantised")
	}
}

// A model with the panels of its copy has the bits of one that packs anew, wherever the file lies meanwhile.
func TestPackedCopy(t *testing.T) {
	path, copies := mixedFile(t, 1), filepath.Join(t.TempDir(), "below", "copies")
	anew, p := loadFrom(t, path, copies)
	if p.Used || p.Fault != nil || filepath.Dir(p.Path) != copies || p.Bytes == 0 {
		t.Fatalf("%+v of a model without a copy", p)
	}
	if err := p.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "other name.gguf")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	mapped, q := loadFrom(t, moved, copies)
	if !q.Used || q.Fault != nil || q.Path != p.Path || q.Bytes != p.Bytes {
		t.Fatalf("%+v beside the copy", q)
	}
	samePanels(t, anew, mapped)
	clone := mapped.Clone()
	tokens := packedBatch(523, 9, 64).Tokens
	want := logits(t, anew, tokens)
	mapped, q = nil, nil
	runtime.GC() // the clone alone must keep the mapping
	runtime.GC()
	if !slices.Equal(logits(t, clone, tokens), want) {
		t.Error("the logits differ")
	}
	if _, q := loadFrom(t, moved, ""); q.Path != "" || q.Used {
		t.Errorf("%+v without a folder", q)
	}
}

// FuzzPackedCopy: a copy with other bytes anywhere is not used, unless they say nothing about the weights.
func FuzzPackedCopy(f *testing.F) {
	path, copies := mixedFile(f, 1), f.TempDir()
	anew, p := loadFrom(f, path, copies)
	if err := p.Keep(context.Background()); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(p.Path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add(uint32(9), []byte(`"`))
	f.Add(uint32(bytes.Index(good, []byte("data_offsets"))+15), []byte("9"))
	f.Fuzz(func(t *testing.T, at uint32, with []byte) {
		bad := bytes.Clone(good)
		copy(bad[int(at)%len(bad):], with)
		if err := os.WriteFile(p.Path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		m, q := loadFrom(t, path, copies)
		samePanels(t, anew, m)
		if !q.Used && q.Fault == nil {
			t.Error("a copy is neither used nor faulty")
		}
	})
}

// A copy that is not what was written is not used, says why, and is made anew.
func TestPackedFaults(t *testing.T) {
	path := mixedFile(t, 1)
	other := mixedFile(t, 2)
	for name, c := range map[string]struct {
		want  string
		spoil func(t *testing.T, path string, good []byte) []byte
	}{
		"cut":              {"cut file", func(_ *testing.T, _ string, b []byte) []byte { return b[:len(b)-1] }},
		"cut in header":    {"cut file", func(_ *testing.T, _ string, b []byte) []byte { return b[:100] }},
		"empty":            {"cut file", func(*testing.T, string, []byte) []byte { return nil }},
		"a bit at the end": {"damaged", func(_ *testing.T, _ string, b []byte) []byte { b[len(b)-65] ^= 4; return b }},
		"a bit at the beginning": {"damaged", func(_ *testing.T, _ string, b []byte) []byte {
			b[roundUp(bytes.Index(b, []byte("}}"))+2, panelsAlign)+1] ^= 1
			return b
		}},
		"a sum": {"damaged", func(_ *testing.T, _ string, b []byte) []byte {
			at := bytes.Index(b, []byte(packedSums)) + len(packedSums) + 3
			b[at] ^= 1
			return b
		}},
		"version": {`retort.version is "1.0", want "` + packedLayout, func(_ *testing.T, _ string, b []byte) []byte {
			return bytes.Replace(b, []byte(`"`+packedLayout+`"`), []byte(`"1.0"`), 1)
		}},
		"another source": {"retort.source is", func(t *testing.T, path string, _ []byte) []byte {
			folder := t.TempDir()
			_, p := loadFrom(t, other, folder)
			if err := p.Keep(t.Context()); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(p.Path)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}},
		"a huge header": {"want at most", func(_ *testing.T, _ string, b []byte) []byte { b[7] = 0x7f; return b }},
		"another name": {"not in the file", func(_ *testing.T, _ string, b []byte) []byte {
			return bytes.Replace(b, []byte("head.0.Q6_K"), []byte("head.0.Q5_K"), 1)
		}},
		"another size": {"bytes of U8, want", func(t *testing.T, path string, b []byte) []byte {
			return reshaped(t, path, func(list []weights.NamedTensor) []weights.NamedTensor {
				list[0].Data, list[0].Shape = list[0].Data[64:], []int{len(list[0].Data) - 64}
				return list
			})
		}},
		"another format": {"bytes of I8, want", func(t *testing.T, path string, b []byte) []byte {
			return reshaped(t, path, func(list []weights.NamedTensor) []weights.NamedTensor {
				list[1].Format = tensor.I8
				return list
			})
		}},
		"one more": {"want safetensors of", func(t *testing.T, path string, b []byte) []byte {
			return reshaped(t, path, func(list []weights.NamedTensor) []weights.NamedTensor {
				return append(list, weights.NamedTensor{Name: "more", Format: tensor.U8, Shape: []int{1}, Data: []byte{1}})
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			copies := t.TempDir()
			anew, p := loadFrom(t, path, copies)
			if err := p.Keep(t.Context()); err != nil {
				t.Fatal(err)
			}
			good, err := os.ReadFile(p.Path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p.Path, c.spoil(t, p.Path, bytes.Clone(good)), 0o600); err != nil {
				t.Fatal(err)
			}
			m, q := loadFrom(t, path, copies)
			if q.Used || q.Fault == nil || !strings.Contains(q.Fault.Error(), c.want) {
				t.Errorf("used %v, fault %v, want %q", q.Used, q.Fault, c.want)
			}
			samePanels(t, anew, m)
			if err := q.Keep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if again, err := os.ReadFile(p.Path); err != nil || !bytes.Equal(again, good) {
				t.Errorf("made anew it is not what it was: %v", err)
			}
			if _, q := loadFrom(t, path, copies); !q.Used {
				t.Errorf("made anew it is not used: %v", q.Fault)
			}
		})
	}
}

// reshaped writes a copy with other tensors and the same metadata.
func reshaped(t *testing.T, path string, change func([]weights.NamedTensor) []weights.NamedTensor) []byte {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	metadata := map[string]string{}
	for _, pair := range f.Metadata() {
		metadata[pair.Key], _ = f.Metadata().String(pair.Key)
	}
	var list []weights.NamedTensor
	for _, name := range f.Names() {
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, weights.NamedTensor{Name: name, Format: x.Format, Shape: x.Shape, Data: x.Data})
	}
	to := filepath.Join(t.TempDir(), "reshaped")
	if err := weights.WritePrivate(t.Context(), to, change(list), metadata, panelsAlign); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A copy that others may change is not used, nor is a link or a folder in its place.
func TestPackedBelongsToTheUser(t *testing.T) {
	path, copies := mixedFile(t, 1), t.TempDir()
	_, p := loadFrom(t, path, copies)
	if err := p.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "copy")
	for name, spoil := range map[string]func() error{
		"link": func() error { return errors.Join(os.Rename(p.Path, elsewhere), os.Symlink(elsewhere, p.Path)) },
		"folder": func() error {
			return errors.Join(os.Remove(p.Path), os.Mkdir(p.Path, 0o700))
		},
		"open to others": func() error {
			if runtime.GOOS == "windows" {
				return os.Mkdir(p.Path, 0o700)
			}
			return os.Chmod(p.Path, 0o622)
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, q := loadFrom(t, path, copies); q.Used || q.Fault == nil || !strings.Contains(q.Fault.Error(), "not a file that belongs to the user") {
			t.Errorf("%s: used %v, %v", name, q.Used, q.Fault)
		}
		if err := os.Remove(p.Path); err != nil {
			t.Fatal(err)
		}
		_, q := loadFrom(t, path, copies)
		if err := q.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A file with other weights at the same path does not read the copy of the one before.
func TestPackedFollowsTheSource(t *testing.T) {
	path, copies := mixedFile(t, 1), t.TempDir()
	_, p := loadFrom(t, path, copies)
	if err := p.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := ListPacked(copies); err != nil || len(list) != 1 || list[0].Stale != "" || list[0].Source != path {
		t.Errorf("%+v, %v: want one copy that is good", list, err)
	}
	b, err := os.ReadFile(mixedFile(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, q := loadFrom(t, path, copies); q.Used || q.Fault != nil || q.Path == p.Path {
		t.Errorf("%+v of other weights", q)
	}
	stale := func(want string) {
		t.Helper()
		if list, err := ListPacked(copies); err != nil || len(list) != 1 || !strings.Contains(list[0].Stale, want) {
			t.Errorf("%+v, %v: want %q", list, err, want)
		}
	}
	stale("has changed")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	stale("is not there any more")
	if err := os.WriteFile(p.Path, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	stale("damaged")
	if list, err := ListPacked(filepath.Join(copies, "absent")); err != nil || len(list) != 0 {
		t.Errorf("%v, %v of a folder that is not there", list, err)
	}
}

// What cannot be written leaves nothing, and what a killed writer left is cleared away.
func TestPackedNotKept(t *testing.T) {
	path, folder := mixedFile(t, 1), t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, p := loadFrom(t, path, filepath.Join(file, "copies"))
	if err := p.Keep(t.Context()); err == nil || p.Fault != nil && p.Used {
		t.Errorf("kept in a file in place of a folder: %v", err)
	}
	copies := filepath.Join(folder, "copies")
	_, p = loadFrom(t, path, copies)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Keep(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was stopped", err)
	}
	if list, err := os.ReadDir(copies); err != nil || len(list) != 0 {
		t.Errorf("%v is left, %v", list, err)
	}
	old, young := filepath.Join(copies, ".x"+packedExtension+".1.tmp"), filepath.Join(copies, ".x"+packedExtension+".2.tmp")
	for _, rest := range []string{old, young} {
		if err := os.WriteFile(rest, []byte("rest"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*restAge)); err != nil {
		t.Fatal(err)
	}
	if list, err := ListPacked(copies); err != nil || len(list) != 1 || list[0].Path != old || list[0].Stale == "" {
		t.Errorf("%+v, %v: want the old rest", list, err)
	}
	if err := p.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("the old rest is there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("what another process may be writing is gone")
	}
}
