package parquet

import "encoding/binary"

// The types of a field in Thrift's compact protocol (thrift-compact-protocol.md).
const (
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// message appends Thrift structures in the compact protocol. Fields go by their ids, ascending.
type message struct {
	b    []byte
	last []int // the last field's id in each structure that is open
}

// begin opens a structure that no field announces: the whole message, or an element of a list.
func (m *message) begin() { m.last = append(m.last, 0) }

// end closes the innermost structure.
func (m *message) end() {
	m.b = append(m.b, 0)
	m.last = m.last[:len(m.last)-1]
}

// field announces a field. Ids here are less than 16 apart, so that one byte holds both.
func (m *message) field(id, kind int) {
	last := &m.last[len(m.last)-1]
	m.b = append(m.b, byte((id-*last)<<4|kind))
	*last = id
}

func (m *message) number(id, kind int, x int64) {
	m.field(id, kind)
	m.b = binary.AppendVarint(m.b, x) // zigzag, as the protocol has it
}

func (m *message) i32(id int, x int64) { m.number(id, thriftI32, x) }

func (m *message) i64(id int, x int64) { m.number(id, thriftI64, x) }

func (m *message) text(id int, s string) {
	m.field(id, thriftBinary)
	m.element(s)
}

// element appends a text of a list.
func (m *message) element(s string) {
	m.b = append(binary.AppendUvarint(m.b, uint64(len(s))), s...)
}

func (m *message) list(id, kind, n int) {
	m.field(id, thriftList)
	if n < 15 {
		m.b = append(m.b, byte(n<<4|kind))
		return
	}
	m.b = binary.AppendUvarint(append(m.b, byte(15<<4|kind)), uint64(n))
}

// structure opens a structure that is a field.
func (m *message) structure(id int) {
	m.field(id, thriftStruct)
	m.begin()
}

// pageHeader is PageHeader of parquet.thrift.
func pageHeader(unpacked, packed, values int) []byte {
	m := &message{}
	m.begin()
	m.i32(1, pageData)
	m.i32(2, int64(unpacked))
	m.i32(3, int64(packed))
	m.structure(5)
	m.i32(1, int64(values))
	m.i32(2, encodingPlain)
	m.i32(3, encodingRLE)
	m.i32(4, encodingRLE)
	m.end()
	m.end()
	return m.b
}

// footer is FileMetaData of parquet.thrift.
func (p *Writer) footer(about []KeyValue) []byte {
	m := &message{}
	m.begin()
	m.i32(1, 1)
	m.list(2, thriftStruct, len(p.columns)+1)
	m.begin()
	m.text(4, "row")
	m.i32(5, int64(len(p.columns)))
	m.end()
	for _, c := range p.columns {
		m.begin()
		m.i32(1, physical[c.Kind])
		m.i32(3, repeatedOptional)
		m.text(4, c.Name)
		if meaning, ok := converted[c.Kind]; ok {
			m.i32(6, meaning)
		}
		m.end()
	}
	m.i64(3, p.rows)
	m.list(4, thriftStruct, len(p.groups))
	for _, g := range p.groups {
		p.group(m, g)
	}
	if len(about) > 0 {
		m.list(5, thriftStruct, len(about))
		for _, kv := range about {
			m.begin()
			m.text(1, kv.Key)
			m.text(2, kv.Value)
			m.end()
		}
	}
	m.text(6, "retort")
	m.end()
	return m.b
}

// group is RowGroup of parquet.thrift.
func (p *Writer) group(m *message, g group) {
	m.begin()
	m.list(1, thriftStruct, len(g.chunks))
	total := int64(0)
	for i, c := range g.chunks {
		total += c.unpacked
		m.begin()
		m.i64(2, c.offset)
		m.structure(3)
		m.i32(1, physical[p.columns[i].Kind])
		m.list(2, thriftI32, 2)
		m.b = binary.AppendVarint(binary.AppendVarint(m.b, encodingPlain), encodingRLE)
		m.list(3, thriftBinary, 1)
		m.element(p.columns[i].Name)
		m.i32(4, codecGzip)
		m.i64(5, c.values)
		m.i64(6, c.unpacked)
		m.i64(7, c.packed)
		m.i64(9, c.offset)
		m.end()
		m.end()
	}
	m.i64(2, total)
	m.i64(3, g.rows)
	m.end()
}
