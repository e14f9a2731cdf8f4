// Package parquet writes tables as Apache Parquet files, which column stores,
// pandas and DuckDB read.
//
// It reads nothing, and writes the part of the format that flat tables need: optional
// columns of 64-bit integers, doubles, truths and texts, PLAIN, in data pages of
// version 1, compressed by gzip, one page for each column of a row group (Apache
// Parquet format 2.11, parquet.thrift and Encodings.md).
//
// Invariants: equal tables give equal bytes; every value is kept bit for bit, NaN
// and infinities included, and a value that is missing is told apart from all others.
package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Kind is the type of a column's values.
type Kind uint8

// The kinds.
const (
	Int64  Kind = iota
	Double      // IEEE 754 binary64
	Bool
	Text // UTF-8
	JSON // text that holds JSON
)

// physical is the type by which a kind is stored: Type of parquet.thrift.
var physical = map[Kind]int64{Int64: 2, Double: 5, Bool: 0, Text: 6, JSON: 6}

// converted is what a text means: ConvertedType of parquet.thrift.
var converted = map[Kind]int64{Text: 0, JSON: 19}

// The constants of parquet.thrift that are used.
const (
	magic            = "PAR1"
	encodingPlain    = 0
	encodingRLE      = 3
	codecGzip        = 2
	pageData         = 0
	repeatedOptional = 1
)

// Column describes a column.
type Column struct {
	Name string
	Kind Kind
}

// Value is one value of a row; the field of its column's kind counts. The zero Value is a missing one.
type Value struct {
	IsSet  bool
	Int    int64
	Double float64
	Bool   bool
	Text   string // of Text and JSON
}

// KeyValue is a text about the whole file.
type KeyValue struct{ Key, Value string }

// GroupRows is the most rows of a row group.
const GroupRows = 1 << 14

// groupBytes ends a row group earlier, by the size of its values.
const groupBytes = 16 << 20

// Writer writes one file. It is used by one goroutine at a time.
type Writer struct {
	w       io.Writer
	offset  int64
	columns []Column
	plain   []bytes.Buffer // the values of the row group under way, column by column
	isSet   [][]bool
	groups  []group
	rows    int64
	err     error
}

// group is a row group that has been written.
type group struct {
	rows   int64
	chunks []chunk
}

// chunk is a column of a row group.
type chunk struct{ offset, values, packed, unpacked int64 }

// NewWriter begins a file with these columns, of which each name stands once.
func NewWriter(w io.Writer, columns []Column) (*Writer, error) {
	seen := map[string]bool{}
	for _, c := range columns {
		if _, ok := physical[c.Kind]; !ok || c.Name == "" || seen[c.Name] {
			return nil, fmt.Errorf("parquet: column %q of kind %d: want a name that stands once, and a known kind", c.Name, c.Kind)
		}
		seen[c.Name] = true
	}
	if len(columns) == 0 {
		return nil, errors.New("parquet: no columns")
	}
	p := &Writer{w: w, columns: columns, plain: make([]bytes.Buffer, len(columns)), isSet: make([][]bool, len(columns))}
	p.write([]byte(magic))
	return p, p.err
}

func (p *Writer) write(b []byte) {
	if p.err == nil {
		var n int
		n, p.err = p.w.Write(b)
		p.offset += int64(n)
	}
}

// Write appends a row, one value for each column.
func (p *Writer) Write(row []Value) error {
	if p.err == nil && len(row) != len(p.columns) {
		p.err = fmt.Errorf("parquet: got a row of %d values, want %d", len(row), len(p.columns))
	}
	if p.err != nil {
		return p.err
	}
	size := 0
	for i, v := range row {
		p.isSet[i] = append(p.isSet[i], v.IsSet)
		if v.IsSet {
			if p.columns[i].Kind >= Text && len(v.Text) > math.MaxInt32 {
				p.err = fmt.Errorf("parquet: column %s: a text of %d bytes", p.columns[i].Name, len(v.Text))
				return p.err
			}
			appendPlain(&p.plain[i], p.columns[i].Kind, v)
		}
		size += p.plain[i].Len()
	}
	p.rows++
	if len(p.isSet[0]) >= GroupRows || size >= groupBytes {
		p.flush()
	}
	return p.err
}

// appendPlain appends a value in the encoding PLAIN; a truth takes a byte here and a bit in the file.
func appendPlain(b *bytes.Buffer, kind Kind, v Value) {
	var room [8]byte
	switch kind {
	case Int64:
		binary.LittleEndian.PutUint64(room[:], uint64(v.Int))
		b.Write(room[:])
	case Double:
		binary.LittleEndian.PutUint64(room[:], math.Float64bits(v.Double))
		b.Write(room[:])
	case Bool:
		if v.Bool {
			room[0] = 1
		}
		b.WriteByte(room[0])
	default:
		binary.LittleEndian.PutUint32(room[:4], uint32(len(v.Text)))
		b.Write(room[:4])
		b.WriteString(v.Text)
	}
}

// flush writes the row group under way.
func (p *Writer) flush() {
	n := len(p.isSet[0])
	if n == 0 {
		return
	}
	g := group{rows: int64(n)}
	for i, c := range p.columns {
		page := levels(p.isSet[i])
		if c.Kind == Bool {
			page = append(page, bits(p.plain[i].Bytes())...)
		} else {
			page = append(page, p.plain[i].Bytes()...)
		}
		packed, err := compressed(page)
		if err != nil {
			p.err = err
			return
		}
		header := pageHeader(len(page), len(packed), n)
		g.chunks = append(g.chunks, chunk{p.offset, int64(n), int64(len(header) + len(packed)), int64(len(header) + len(page))})
		p.write(header)
		p.write(packed)
		p.plain[i].Reset()
		p.isSet[i] = p.isSet[i][:0]
	}
	p.groups = append(p.groups, g)
}

// levels are the definition levels of an optional column: one bit-packed run of the hybrid encoding, behind its length.
func levels(isSet []bool) []byte {
	run := binary.AppendUvarint(nil, uint64((len(isSet)+7)/8)<<1|1)
	truths := make([]byte, len(isSet))
	for i, set := range isSet {
		if set {
			truths[i] = 1
		}
	}
	run = append(run, bits(truths)...)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(run))), run...)
}

// bits packs truths, each a byte, the first in the lowest bit.
func bits(truths []byte) []byte {
	packed := make([]byte, (len(truths)+7)/8)
	for i, x := range truths {
		packed[i/8] |= x << (i % 8)
	}
	return packed
}

func compressed(page []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(page); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}

// Close writes the rest and the footer, with texts about the file. It does not close what it writes to.
func (p *Writer) Close(about ...KeyValue) error {
	p.flush()
	footer := p.footer(about)
	p.write(footer)
	p.write(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))))
	p.write([]byte(magic))
	err := p.err
	if p.err == nil {
		p.err = errors.New("parquet: the file is closed")
	}
	return err
}
