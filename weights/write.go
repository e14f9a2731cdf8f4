package weights

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sort"

	"github.com/retort-ml/retort/tensor"
)

// NamedTensor is a tensor to be written: its stored bytes, or float32 numbers
// that are rounded or quantised to the format while they are written, so that
// saving a model in another format needs no second copy of it. Exactly one of
// Data, Values and Fill is set, unless the tensor is empty.
type NamedTensor struct {
	Name   string
	Format tensor.Format
	Shape  []int     // row-major
	Data   []byte    // Format.SizeOf(Shape) bytes
	Values []float32 // as many as the shape has elements
	// Fill sets dst to the numbers from begin on, in row-major order. It is called
	// from one goroutine at a time, with ascending begin and at most 16384 numbers
	// in whole blocks of every format. tensor.Tensor.Read of a tensor of the same
	// shape is such a function, and converts it piece by piece.
	Fill func(dst []float32, begin int) error
	// Importance, if set, says how much the number of each column matters, as
	// tensor.EncodeRow takes it; of a Data tensor it is an error.
	Importance []float32
}

// writeOrder puts wide numbers first, so that every tensor is aligned to its
// element; among equals the reference writer's order, so that its files and
// ours are equal byte for byte.
var writeOrder = map[tensor.Format]int{
	tensor.U64: 0, tensor.I64: 1, tensor.F64: 2, tensor.C64: 3, tensor.F32: 4, tensor.U32: 5, tensor.I32: 6,
	tensor.BF16: 7, tensor.F16: 8, tensor.U16: 9, tensor.I16: 10, tensor.F8E5M2FNUZ: 11, tensor.F8E4M3FNUZ: 12,
	tensor.F8E8M0: 13, tensor.F8E4M3: 14, tensor.F8E5M2: 15, tensor.I8: 16, tensor.U8: 17,
	tensor.F6E3M2: 18, tensor.F6E2M3: 19, tensor.F4: 20, tensor.Bool: 21,
}

// Write writes a safetensors file in place of path, through a temporary file
// beside it that is synced and renamed: after a crash or an error the file is
// the old one or the new one. The tensors are ordered by format and name
// whatever their order here. The metadata gets "format": "pt" unless it has a
// format; it may be nil.
func Write(path string, tensors []NamedTensor, metadata map[string]string) error {
	return writeSafetensors(context.Background(), path, tensors, metadata, lengthBytes, 0o644)
}

// WritePrivate is Write, but only the user may read the file, the first tensor begins at a multiple of align bytes of it (a power of two, at least 8), and the
// end of ctx stops the writing, which leaves path as it was. Where all sizes are multiples of align too, so does every tensor.
func WritePrivate(ctx context.Context, path string, tensors []NamedTensor, metadata map[string]string, align int) error {
	return writeSafetensors(ctx, path, tensors, metadata, align, 0o600)
}

func writeSafetensors(ctx context.Context, path string, tensors []NamedTensor, metadata map[string]string, align int, mode os.FileMode) error {
	ordered := append([]NamedTensor(nil), tensors...)
	sort.SliceStable(ordered, func(i, j int) bool {
		a, b := ordered[i], ordered[j]
		if a.Format != b.Format {
			return writeOrder[a.Format] < writeOrder[b.Format]
		}
		return a.Name < b.Name
	})
	head, err := encodeHeader(ordered, metadata, align)
	if err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	err = replaceFileAs(ctx, path, mode, func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		for _, t := range ordered {
			if err := t.writeData(w); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("weights: %s: %w", path, err)
	}
	return nil
}

// encodeHeader checks the tensors and returns everything that precedes the
// data, padded with spaces to a multiple of align bytes.
func encodeHeader(ordered []NamedTensor, metadata map[string]string, align int) ([]byte, error) {
	texts := map[string]string{"format": "pt"}
	for key, value := range metadata {
		texts[key] = value
	}
	var text bytes.Buffer
	text.Write(make([]byte, lengthBytes))
	text.WriteString(`{"` + metadataKey + `":`)
	if err := writeJSON(&text, texts); err != nil {
		return nil, err
	}
	seen, offset := make(map[string]bool, len(ordered)), 0
	for _, t := range ordered {
		size, err := t.check()
		if err == nil && seen[t.Name] {
			err = errors.New("name appears twice")
		}
		if err == nil && offset > int(^uint(0)>>1)-size {
			err = errors.New("file too large")
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %.100q: %w", t.Name, err)
		}
		seen[t.Name] = true
		text.WriteByte(',')
		if err := writeJSON(&text, t.Name); err != nil {
			return nil, err
		}
		shape := append(make([]int, 0, len(t.Shape)), t.Shape...)
		text.WriteByte(':')
		if err := writeJSON(&text, struct {
			Format string `json:"dtype"`
			Shape  []int  `json:"shape"`
			Range  [2]int `json:"data_offsets"`
		}{t.Format.String(), shape, [2]int{offset, offset + size}}); err != nil {
			return nil, err
		}
		offset += size
	}
	text.WriteByte('}')
	for text.Len()%align != 0 {
		text.WriteByte(' ')
	}
	head := text.Bytes()
	if len(head)-lengthBytes > maxHeaderBytes {
		return nil, fmt.Errorf("header: got %d bytes, want at most %d", len(head)-lengthBytes, maxHeaderBytes)
	}
	binary.LittleEndian.PutUint64(head, uint64(len(head)-lengthBytes))
	return head, nil
}

// writeJSON appends value without escaping <, > and &.
func writeJSON(text *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	text.Truncate(text.Len() - 1) // the encoder ends with a new line
	return nil
}

// check returns the tensor's size in bytes.
func (t NamedTensor) check() (int, error) {
	if t.Name == metadataKey {
		return 0, errors.New("name is reserved")
	}
	if len(t.Name) > maxKeyBytes {
		return 0, fmt.Errorf("name of %d bytes, want at most %d", len(t.Name), maxKeyBytes)
	}
	if len(t.Shape) > maxDimensions {
		return 0, fmt.Errorf("shape %v: got %d dimensions, want at most %d", t.Shape, len(t.Shape), maxDimensions)
	}
	if _, ok := writeOrder[t.Format]; !ok {
		return 0, fmt.Errorf("format %s cannot be stored in safetensors", t.Format)
	}
	return t.checkSource()
}

// checkSource compares the numbers with the shape, and returns the size in bytes.
func (t NamedTensor) checkSource() (int, error) {
	size, err := t.Format.SizeOf(t.Shape)
	if err != nil {
		return 0, err
	}
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return 0, err
	}
	sources := 0
	for _, isSet := range []bool{t.Data != nil, t.Values != nil, t.Fill != nil} {
		if isSet {
			sources++
		}
	}
	switch {
	case sources > 1:
		return 0, errors.New("more than one of data, values and fill is set")
	case t.Data == nil && sources > 0 && !t.Format.Encodes():
		return 0, fmt.Errorf("format %s cannot be written from float32", t.Format)
	case t.Values != nil && len(t.Values) != n:
		return 0, fmt.Errorf("shape %v: got %d values, want %d", t.Shape, len(t.Values), n)
	case t.Importance != nil && (sources == 0 || t.Data != nil || len(t.Shape) == 0 || len(t.Importance) != t.Shape[len(t.Shape)-1]):
		return 0, fmt.Errorf("shape %v: got %d importances, want one for each column of numbers that are quantised", t.Shape, len(t.Importance))
	case t.Values == nil && t.Fill == nil && len(t.Data) != size:
		return 0, fmt.Errorf("%s %v: got %d bytes, want %d", t.Format, t.Shape, len(t.Data), size)
	}
	return size, nil
}

// replaceFile puts what write wrote in place of path, or on an error leaves
// path as it was and nothing beside it.
func replaceFile(path string, write func(io.Writer) error) error {
	return replaceFileAs(context.Background(), path, 0o644, write)
}

// replaceFileAs is replaceFile with the file's mode, until ctx ends.
func replaceFileAs(ctx context.Context, path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() { // the rename would say so after all is written
		return errors.New("is a folder, want the name of a file")
	}
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return withoutPath(err)
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	whole := &pieceWriter{ctx: ctx, to: file, rest: make([]byte, 0, filePiece)}
	if err := write(whole); err != nil {
		return withoutPath(err)
	}
	if err := whole.flush(); err != nil {
		return withoutPath(err)
	}
	if err := file.Chmod(mode); err != nil {
		return withoutPath(err)
	}
	if err := file.Sync(); err != nil {
		return withoutPath(err)
	}
	if err := file.Close(); err != nil {
		return withoutPath(err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder makes a rename last. Windows has no such call on folders.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
