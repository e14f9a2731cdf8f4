package model

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/retort-ml/retort/internal/compute"
	"github.com/retort-ml/retort/internal/kernel"
	"github.com/retort-ml/retort/tensor"
	"github.com/retort-ml/retort/weights"
)

// A packed copy is the panels of a model's matrices on disk, as products read them, in a safetensors file of bytes. It is mapped, so that loading costs a check of its
// sums, and processes share it. Its name and its metadata say which files it was made from (weights.File.Identity), so that it serves them wherever they lie;
// it holds nothing that they do not.
const (
	packedExtension = ".packed"
	packedSource    = "retort.source"
	packedVersion   = "retort.version"
	packedSums      = "retort.crc32c" // of pieces of packedPiece bytes of each tensor, in the order of the weights
	packedFrom      = "retort.path"   // where the source lay
	packedPiece     = 4 << 20
	panelsAlign     = 64
)

// packedLayout is the version of the names and the order of parts here, and of the panels.
var packedLayout = fmt.Sprintf("1.%d", kernel.PanelLayout)

// Packed is the packed copy of a model's files in a folder of such copies.
type Packed struct {
	// Path is where it lies or would lie, "" if no folder was given or the model has nothing that is packed.
	Path string
	// Bytes is the memory of the panels.
	Bytes int64
	// Used reports that the model's panels are those of the copy.
	Used bool
	// Fault is what is wrong with the file that lies there, so that it was not used.
	Fault error

	source, from string
	parts        []packedPart
}

// packedPart is the panels of one weight's rows of one format.
type packedPart struct {
	name string
	size int
	rows *compute.QuantisedRows
}

// newPacked says what the copy of f is, the layout of which m has. It reads nothing but f.
func newPacked(f *Files, m *Model, folder string) *Packed {
	p := &Packed{from: f.Path}
	for _, w := range m.base.list {
		for i := range w.Quantised {
			q := &w.Quantised[i]
			size := kernel.PanelBytes(q.Format, q.Rows, w.Ins)
			p.parts = append(p.parts, packedPart{fmt.Sprintf("%s.%d.%s", w.Name, q.First, q.Format), size, q})
			p.Bytes += int64(size)
		}
	}
	if folder == "" || len(p.parts) == 0 {
		return p
	}
	if absolute, err := filepath.Abs(f.Path); err == nil {
		p.from = absolute
	}
	p.source = f.Weights.Identity()
	p.Path = filepath.Join(folder, p.source[:32]+"-"+packedLayout+packedExtension)
	return p
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// use has m read the copy if it is there and whole.
func (p *Packed) use(m *Model, pool *kernel.Pool) {
	if p.Path == "" {
		return
	}
	f, err := p.open()
	if err == nil {
		if err = p.check(f, pool); err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", p.Path, err), f.Close())
		}
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.Fault = fmt.Errorf("model: packed copy: %w", err)
		}
		return
	}
	// Nothing that is collected may lie in memory that is given back: the last of the rows ends the mapping.
	owner := &mappedCopy{f}
	runtime.AddCleanup(owner, func(f *weights.File) { _ = f.Close() }, f)
	for _, part := range p.parts {
		t, _ := f.Tensor(part.name) // it has been checked
		part.rows.Panels, part.rows.Owner = t.Data[:part.size:part.size], owner
	}
	p.Used = true
}

// mappedCopy is what keeps a copy mapped. It has a pointer, as small objects without one share their life with others.
type mappedCopy struct{ file *weights.File }

// open opens the file if nobody but the user can write to it.
func (p *Packed) open() (*weights.File, error) {
	info, err := os.Lstat(p.Path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || !isOwn(info) {
		return nil, fmt.Errorf("%s: not a file that belongs to the user and that nobody else may change", p.Path)
	}
	return weights.Open(p.Path)
}

// check compares an opened copy with what it should be, to the last bit of its panels.
func (p *Packed) check(f *weights.File, pool *kernel.Pool) error {
	m := f.Metadata()
	for key, want := range map[string]string{packedVersion: packedLayout, packedSource: p.source} {
		if got, err := m.String(key); err != nil || got != want {
			return fmt.Errorf("%s is %.80q, want %q", key, got, want)
		}
	}
	if got := len(f.Names()); f.Container() != weights.Safetensors || got != len(p.parts) {
		return fmt.Errorf("%s of %d tensors, want %s of %d", f.Container(), got, weights.Safetensors, len(p.parts))
	}
	panels := make([][]byte, len(p.parts))
	for i, part := range p.parts {
		t, err := f.Tensor(part.name)
		if err != nil {
			return err
		}
		if size := roundUp(part.size, panelsAlign); t.Format != tensor.U8 || len(t.Data) != size {
			return fmt.Errorf("%s: %d bytes of %s, want %d of %s", part.name, len(t.Data), t.Format, size, tensor.U8)
		}
		panels[i] = t.Data
	}
	f.ExpectLarge()
	if got, err := m.String(packedSums); err != nil || got != packedSum(panels, pool) {
		return errors.New("damaged: its panels are not those that were written")
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packedSum is the sums of all panels, piece by piece. It brings in every page of a mapped file.
func packedSum(panels [][]byte, pool *kernel.Pool) string {
	var pieces [][]byte
	for _, data := range panels {
		for ; len(data) > packedPiece; data = data[packedPiece:] {
			pieces = append(pieces, data[:packedPiece])
		}
		pieces = append(pieces, data)
	}
	sums := make([]byte, 4*len(pieces))
	pool.Run(len(pieces), func(_, i int) {
		weights.Expect(pieces[i])
		sum := crc32.Checksum(pieces[i], castagnoli)
		for b := range 4 {
			sums[4*i+b] = byte(sum >> (8 * b))
		}
	})
	return hex.EncodeToString(sums)
}

// Keep writes the copy of the model m that Load returned together with p, unless m reads it already: whole, or, on an error or the end of ctx, not at all. The
// folder is made if need be. m may be in use meanwhile.
func (p *Packed) Keep(ctx context.Context) error {
	if p.Path == "" || p.Used {
		return nil
	}
	folder := filepath.Dir(p.Path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("model: packed copy: %w", err)
	}
	removeRests(folder)
	panels := make([][]byte, len(p.parts))
	tensors := make([]weights.NamedTensor, len(p.parts))
	for i, part := range p.parts {
		size := roundUp(part.size, panelsAlign)
		panels[i] = part.rows.Panels[:size:size]
		tensors[i] = weights.NamedTensor{Name: part.name, Format: tensor.U8, Shape: []int{size}, Data: panels[i]}
	}
	pool := kernel.NewPool(1) // beside whatever the model does
	defer pool.Close()
	return weights.WritePrivate(ctx, p.Path, tensors, map[string]string{
		packedVersion: packedLayout, packedSource: p.source, packedFrom: p.from, packedSums: packedSum(panels, pool),
	}, panelsAlign)
}

// restAge is the age at which the beginning of a copy has no writer any more.
const restAge = 6 * time.Hour

// removeRests removes beginnings of copies whose writers were killed.
func removeRests(folder string) {
	for _, rest := range packedRests(folder) {
		_ = os.Remove(rest) // it is in nobody's way
	}
}

func packedRests(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var old []string
	for _, e := range entries {
		isRest, _ := filepath.Match(".*"+packedExtension+".*.tmp", e.Name()) // the pattern is a good one
		if info, err := e.Info(); isRest && err == nil && time.Since(info.ModTime()) > restAge {
			old = append(old, filepath.Join(folder, e.Name()))
		}
	}
	return old
}

// PackedFile is a file in a folder of packed copies.
type PackedFile struct {
	Path   string
	Bytes  int64
	Source string // where the files lay that it was made from; "" if it does not tell
	// Stale is why no model will read it; "" if one may.
	Stale string
}

// ListPacked lists the copies in a folder, and what is left of copies that were not finished. A folder that is not there has none.
func ListPacked(folder string) ([]PackedFile, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("model: packed copies: %w", err)
	}
	var list []PackedFile
	for _, rest := range packedRests(folder) {
		if info, err := os.Lstat(rest); err == nil {
			list = append(list, PackedFile{Path: rest, Bytes: info.Size(), Stale: "its writing was broken off"})
		}
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || filepath.Ext(e.Name()) != packedExtension || !info.Mode().IsRegular() {
			continue
		}
		file := PackedFile{Path: filepath.Join(folder, e.Name()), Bytes: info.Size()}
		file.Source, file.Stale = sourceOfPacked(file.Path)
		list = append(list, file)
	}
	return list, nil
}

// sourceOfPacked is where a copy's source lay, and why the copy is of no use.
func sourceOfPacked(path string) (source, stale string) {
	f, err := weights.Open(path)
	if err != nil {
		return "", "it is damaged"
	}
	defer f.Close()
	text := func(key string) string {
		value, _ := f.Metadata().String(key)
		return value
	}
	source = text(packedFrom)
	if text(packedVersion) != packedLayout {
		return source, "another version of the program made it"
	}
	model, err := weights.Open(source)
	if err != nil {
		return source, strconv.Quote(source) + " is not there any more"
	}
	defer model.Close()
	if model.Identity() != text(packedSource) {
		return source, strconv.Quote(source) + " has changed"
	}
	return source, ""
}
