// Package parquettest reads what package parquet writes, for tests.
//
// It was written after the specifications alone (parquet.thrift, Encodings.md, thrift-compact-protocol.md) and shares no code with
// the writer. It reads nothing else, and trusts lengths that no foreign file should be trusted with.
package parquettest

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/retort-ml/retort/runstore/internal/parquet"
)

// node is a Thrift structure, by ids, or a list.
type node struct {
	fields map[int]node
	list   []node
	number int64
	text   string
}

type cursor struct {
	b   []byte
	err error
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.err = errors.New("the message ends too early")
		c.b = nil
		return make([]byte, max(0, min(n, 16)))
	}
	got := c.b[:n]
	c.b = c.b[n:]
	return got
}

func (c *cursor) unsigned() uint64 {
	x, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.err = errors.New("no varint")
		n = 0
		c.b = nil
	}
	c.b = c.b[n:]
	return x
}

func (c *cursor) signed() int64 {
	x := c.unsigned()
	return int64(x>>1) ^ -int64(x&1)
}

func (c *cursor) value(kind byte) (n node) {
	switch kind {
	case 5, 6, 4:
		n.number = c.signed()
	case 8:
		n.text = string(c.take(int(c.unsigned())))
	case 9:
		head := c.take(1)[0]
		size := int(head >> 4)
		if size == 15 {
			size = int(c.unsigned())
		}
		for range size {
			if c.err != nil {
				return n
			}
			n.list = append(n.list, c.value(head&15))
		}
	case 12:
		n.fields = map[int]node{}
		for id := 0; c.err == nil; {
			head := c.take(1)[0]
			if head == 0 {
				return n
			}
			if id += int(head >> 4); head>>4 == 0 {
				id = int(c.signed())
			}
			n.fields[id] = c.value(head & 15)
		}
	default:
		c.err = fmt.Errorf("type %d", kind)
	}
	return n
}

// Read returns a whole file: its columns, its rows and what it says about itself.
func Read(file []byte) (columns []parquet.Column, rows [][]parquet.Value, about map[string]string, err error) {
	if len(file) < 12 || string(file[:4]) != "PAR1" || string(file[len(file)-4:]) != "PAR1" {
		return nil, nil, nil, errors.New("no PAR1 at both ends")
	}
	length := int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	c := &cursor{b: file[len(file)-8-length : len(file)-8]}
	meta := c.value(12)
	if c.err != nil || len(c.b) != 0 {
		return nil, nil, nil, fmt.Errorf("footer: %v, %d bytes left", c.err, len(c.b))
	}
	schema := meta.fields[2].list
	if int(schema[0].fields[5].number) != len(schema)-1 {
		return nil, nil, nil, errors.New("the root has another number of children")
	}
	for _, s := range schema[1:] {
		kind := map[int64]parquet.Kind{0: parquet.Bool, 2: parquet.Int64, 5: parquet.Double, 6: parquet.Text}[s.fields[1].number]
		if s.fields[6].number == 19 {
			kind = parquet.JSON
		}
		columns = append(columns, parquet.Column{Name: s.fields[4].text, Kind: kind})
	}
	for _, g := range meta.fields[4].list {
		n := int(g.fields[3].number)
		group := make([][]parquet.Value, n)
		for i := range group {
			group[i] = make([]parquet.Value, len(columns))
		}
		for i, ch := range g.fields[1].list {
			m := ch.fields[3]
			begin, size := m.fields[9].number, m.fields[7].number
			if err := readChunk(file[begin:begin+size], columns[i].Kind, group, i, m); err != nil {
				return nil, nil, nil, fmt.Errorf("%s: %w", columns[i].Name, err)
			}
		}
		rows = append(rows, group...)
	}
	if int64(len(rows)) != meta.fields[3].number {
		return nil, nil, nil, fmt.Errorf("%d rows, the footer says %d", len(rows), meta.fields[3].number)
	}
	about = map[string]string{}
	for _, kv := range meta.fields[5].list {
		about[kv.fields[1].text] = kv.fields[2].text
	}
	return columns, rows, about, nil
}

func readChunk(b []byte, kind parquet.Kind, group [][]parquet.Value, column int, m node) error {
	c := &cursor{b: b}
	header := c.value(12)
	if c.err != nil || len(c.b) != int(header.fields[3].number) || m.fields[6].number-int64(len(b)-len(c.b)) != header.fields[2].number {
		return fmt.Errorf("page of %d bytes, %v", len(c.b), c.err)
	}
	z, err := gzip.NewReader(bytes.NewReader(c.b))
	if err != nil {
		return err
	}
	page, err := io.ReadAll(z)
	if err != nil || len(page) != int(header.fields[2].number) {
		return fmt.Errorf("%d bytes unpacked, %v", len(page), err)
	}
	length := int(binary.LittleEndian.Uint32(page))
	run := &cursor{b: page[4 : 4+length]}
	if run.unsigned()&1 != 1 {
		return errors.New("the levels are no bit-packed run")
	}
	plain := &cursor{b: page[4+length:]}
	truths := 0
	for i := range group {
		if run.b[i/8]>>(i%8)&1 == 0 {
			continue
		}
		v := &group[i][column]
		v.IsSet = true
		switch kind {
		case parquet.Int64:
			v.Int = int64(binary.LittleEndian.Uint64(plain.take(8)))
		case parquet.Double:
			v.Double = math.Float64frombits(binary.LittleEndian.Uint64(plain.take(8)))
		case parquet.Bool:
			v.Bool = plain.b[truths/8]>>(truths%8)&1 == 1
			truths++
		default:
			v.Text = string(plain.take(int(binary.LittleEndian.Uint32(plain.take(4)))))
		}
	}
	if kind != parquet.Bool && len(plain.b) != 0 {
		return fmt.Errorf("%d bytes behind the values", len(plain.b))
	}
	return plain.err
}
