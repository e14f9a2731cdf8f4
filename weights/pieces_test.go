package weights

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/retort-ml/retort/tensor"
)

// places records where each write ended.
type places struct {
	bytes.Buffer
	ends []int
}

func (p *places) Write(b []byte) (int, error) {
	n, err := p.Buffer.Write(b)
	p.ends = append(p.ends, p.Len())
	return n, err
}

// Whatever pieces come, what goes to the file are whole pieces at multiples of their size, and the rest.
func TestPieceWriter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var to places
	w := &pieceWriter{ctx: t.Context(), to: &to, rest: make([]byte, 0, filePiece)}
	var want []byte
	for _, n := range []int{1, filePiece - 2, 5, 3 * filePiece, 0, 2*filePiece - 4, filePiece, 777} {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		want = append(want, p...)
		if got, err := w.Write(p); got != n || err != nil {
			t.Fatalf("wrote %d of %d: %v", got, n, err)
		}
	}
	for _, end := range to.ends {
		if end%filePiece != 0 {
			t.Errorf("a write ended at %d, want multiples of %d", end, filePiece)
		}
	}
	if err := w.flush(); err != nil || !bytes.Equal(to.Bytes(), want) {
		t.Errorf("%d bytes, want %d others; %v", to.Len(), len(want), err)
	}
}

func TestWritePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	data := bytes.Repeat([]byte{1, 2, 3, 4}, 48)
	tensors := []NamedTensor{{Name: "b", Format: tensor.U8, Shape: []int{64}, Data: data[64:128]}, {Name: "a", Format: tensor.U8, Shape: []int{128}, Data: data[:128]}}
	if err := WritePrivate(t.Context(), path, tensors, map[string]string{"k": "v"}, 64); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want a file for the user alone", info.Mode(), err)
	}
	f := open(t, path)
	if f.shards[0].header.size%64 != 0 {
		t.Errorf("the data begin at %d, want a multiple of 64", f.shards[0].header.size)
	}
	for _, want := range tensors {
		if got, err := f.Tensor(want.Name); err != nil || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: %v, %v", want.Name, got.Data, err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tensors[0].Data = data[:64]
	if err := WritePrivate(ctx, path, tensors, nil, 64); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was stopped", err)
	}
	again := open(t, path)
	if got, err := again.Metadata().String("k"); got != "v" || err != nil {
		t.Error("a writing that was stopped replaced the file")
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("%v beside the file, %v", list, err)
	}
}

// An identity follows what is in the file and when it changed, not where it lies.
func TestIdentity(t *testing.T) {
	folder := t.TempDir()
	when := time.Unix(1e9, 123000)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	write := func(name string, change func(data []byte) []byte, metadata map[string]string, at time.Time) string {
		t.Helper()
		d := change(bytes.Clone(data))
		path := filepath.Join(folder, name)
		if err := Write(path, []NamedTensor{{Name: "w", Format: tensor.U8, Shape: []int{len(d)}, Data: d}}, metadata); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return open(t, path).Identity()
	}
	same := func(d []byte) []byte { return d }
	first := write("a", same, nil, when)
	if again := write("b", same, nil, when); again != first || len(first) != 64 {
		t.Errorf("identities %q and %q of one content", first, again)
	}
	for name, other := range map[string]string{
		"time":     write("c", same, nil, when.Add(time.Microsecond)),
		"metadata": write("d", same, map[string]string{"a": "b"}, when),
		"size":     write("e", func(d []byte) []byte { return d[:len(d)-1] }, nil, when),
		"first":    write("f", func(d []byte) []byte { d[0]++; return d }, nil, when),
		"last":     write("g", func(d []byte) []byte { d[len(d)-4096]++; return d }, nil, when),
	} {
		if other == first {
			t.Errorf("another %s has the same identity", name)
		}
	}
	small := write("h", func([]byte) []byte { return []byte{1, 2, 3} }, nil, when)
	if small == write("i", func([]byte) []byte { return []byte{1, 2, 4} }, nil, when) {
		t.Error("small files with other bytes have the same identity")
	}
}
