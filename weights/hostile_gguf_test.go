package weights

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// rawGGUF builds files that the writer would refuse.
type rawGGUF struct{ encoder }

// head begins a file of the given counts.
func head(version uint32, tensors, pairs uint64) *rawGGUF {
	r := &rawGGUF{}
	r.WriteString(ggufMagic)
	r.uint32(version)
	r.uint64(tensors)
	r.uint64(pairs)
	return r
}

// key begins a pair; its value is what is written next.
func (r *rawGGUF) key(name string, kind uint32) *rawGGUF {
	r.text(name)
	r.uint32(kind)
	return r
}

func (r *rawGGUF) u32(n uint32) *rawGGUF { r.uint32(n); return r }
func (r *rawGGUF) u64(n uint64) *rawGGUF { r.uint64(n); return r }

// info describes a tensor, its dimensions in the file's order.
func (r *rawGGUF) info(name string, kind uint32, offset uint64, dimensions ...uint64) *rawGGUF {
	r.text(name)
	r.uint32(uint32(len(dimensions)))
	for _, n := range dimensions {
		r.uint64(n)
	}
	r.uint32(kind)
	r.uint64(offset)
	return r
}

// data pads to 32 bytes and appends a count of bytes.
func (r *rawGGUF) data(count int) []byte {
	r.Write(padding(r.Len(), defaultAlignment))
	r.Write(make([]byte, count))
	return r.Bytes()
}

type hostileFile struct {
	file  []byte
	fault string
}

const (
	kindF32 = 0
	kindQ40 = 2
	kindQ4K = 12
)

// hostileGGUF holds a file for each class of hole that was published in readers
// of GGUF, and for each rule of ours, with a part of the error it must give.
func hostileGGUF() map[string]hostileFile {
	cases := hostileBombs()
	for name, c := range smallHostileGGUF() {
		cases[name] = c
	}
	return cases
}

func smallHostileGGUF() map[string]hostileFile {
	cases := map[string]hostileFile{}
	for _, group := range []map[string]hostileFile{hostileHeads(), hostileMetadata(), hostileDimensions(), hostilePlaces()} {
		for name, c := range group {
			cases[name] = c
		}
	}
	return cases
}

// hostileHeads: versions, byte order, and counts that are multiplied by a size
// (CVE-2024-23605, CVE-2024-21836: tensors and keys times the size of a struct).
func hostileHeads() map[string]hostileFile {
	return map[string]hostileFile{
		"magic alone":      {[]byte(ggufMagic), "cut file"},
		"version cut":      {[]byte("GGUF\x03\x00"), "cut file"},
		"version 0":        {head(0, 0, 0).Bytes(), "version 0"},
		"version 1":        {head(1, 0, 0).Bytes(), "version 1 is not read: convert"},
		"version 4":        {head(4, 0, 0).Bytes(), "want 2 or 3"},
		"big-endian":       {head(3<<24, 0, 0).Bytes(), "big-endian"},
		"counts cut":       {head(3, 0, 0).Bytes()[:20], "cut file"},
		"tensors 2^64-1":   {head(3, math.MaxUint64, 0).data(64), "want at most 65536"},
		"tensors wrap":     {head(3, math.MaxUint64/64+2, 0).data(64), "want at most 65536"},
		"tensors 2^31":     {head(3, 1<<31, 0).data(64), "want at most 65536"},
		"tensors negative": {head(3, 1<<63, 0).data(64), "want at most 65536"},
		"tensors absent":   {head(3, 60000, 0).data(64), "cut file: 60000 tensors"},
		"keys 2^64-1":      {head(3, 0, math.MaxUint64).data(64), "want at most 16384"},
		"keys wrap":        {head(3, 0, math.MaxUint64/48+2).data(64), "want at most 16384"},
		"keys absent":      {head(3, 0, 9000).data(64), "cut file: 9000 metadata keys"},
		"pickle":           {[]byte("PK\x03\x04archive/data.pkl"), "pickle"},
		"before GGUF":      {[]byte("tjgg\x03\x00\x00\x00"), "before GGUF"},
	}
}

// hostileMetadata: string lengths and list counts (CVE-2024-21825,
// CVE-2024-21802, CVE-2024-23496; nil pointers and divisions by zero from
// values, CVE-2025-0312, -0315, -0317; signed and unsigned lengths,
// CVE-2025-49847, CVE-2025-52566).
func hostileMetadata() map[string]hostileFile {
	key := func(kind uint32) *rawGGUF { return head(3, 0, 1).key("a", kind) }
	one := head(3, 0, 2).key("a", kindUint32).u32(1)
	deep := key(kindArray)
	for range 200 {
		deep.u32(kindArray).u64(1)
	}
	return map[string]hostileFile{
		"key 2^64-1":          {head(3, 0, 1).u64(math.MaxUint64).data(64), "string of 18446744073709551615 bytes"},
		"key 2^63":            {head(3, 0, 1).u64(1 << 63).data(64), "string of 9223372036854775808 bytes"},
		"key 2^31":            {head(3, 0, 1).u64(1 << 31).data(64), "string of 2147483648 bytes"},
		"key longer":          {head(3, 0, 1).u64(65).data(32), "cut file"},
		"key empty":           {head(3, 0, 1).key("", kindBool).data(64), "1 to 1024 bytes"},
		"key with a zero":     {head(3, 0, 1).key("a\x00b", kindBool).data(64), "without a zero"},
		"key long":            {head(3, 0, 1).key(strings.Repeat("k", 1025), kindBool).data(64), "1 to 1024 bytes"},
		"key twice":           {one.key("a", kindUint32).u32(2).data(64), `"a": appears twice`},
		"value absent":        {key(kindUint64).Bytes(), "cut file"},
		"value kind 13":       {key(13).data(64), "value type 13"},
		"value kind 2^32-1":   {key(math.MaxUint32).data(64), "value type 4294967295"},
		"bool 2":              {append(key(kindBool).Bytes(), 2), "want 0 or 1"},
		"bools 2":             {append(key(kindArray).u32(kindBool).u64(2).Bytes(), 1, 2), "item 1: bool"},
		"string 2^64-1":       {key(kindString).u64(math.MaxUint64).data(64), "string of"},
		"string wraps":        {key(kindString).u64(math.MaxUint64 - 3).data(64), "string of"},
		"list kind":           {key(kindArray).u32(77).u64(1).data(64), "value type 77"},
		"list 2^64-1":         {key(kindArray).u32(kindUint8).u64(math.MaxUint64).data(64), "list items"},
		"list wraps":          {key(kindArray).u32(kindUint64).u64(1<<61 + 1).data(64), "list items"},
		"list wraps at 4":     {key(kindArray).u32(kindFloat32).u64(1<<62 + 1).data(64), "list items"},
		"strings wrap":        {key(kindArray).u32(kindString).u64(1<<60 + 1).data(64), "list items"},
		"strings absent":      {key(kindArray).u32(kindString).u64(30).data(64), "list items"},
		"string in list cut":  {key(kindArray).u32(kindString).u64(2).u64(0).u64(1 << 40).data(0), "item 1: cut file"},
		"lists too deep":      {deep.data(64), "nested deeper than 4"},
		"alignment 0":         {head(3, 0, 1).key(alignmentKey, kindUint32).u32(0).data(64), "power of two"},
		"alignment 24":        {head(3, 0, 1).key(alignmentKey, kindUint32).u32(24).data(64), "power of two"},
		"alignment i32":       {head(3, 0, 1).key(alignmentKey, kindInt32).u32(math.MaxUint32).data(64), "power of two as uint32"},
		"alignment u64":       {head(3, 0, 1).key(alignmentKey, kindUint64).u64(1 << 63).data(64), "power of two as uint32"},
		"alignment text":      {head(3, 0, 1).key(alignmentKey, kindString).u64(0).data(64), "power of two as uint32"},
		"alignment 2^31":      {head(3, 1, 1).key(alignmentKey, kindUint32).u32(1<<31).info("t", kindF32, 0, 1).data(64), "cut file"},
		"alignment twice":     {head(3, 0, 2).key(alignmentKey, kindUint32).u32(32).key(alignmentKey, kindUint32).u32(0).data(64), "twice"},
		"split.no beyond":     {head(3, 0, 2).key(splitCountKey, kindUint32).u32(3).key(splitNumberKey, kindUint32).u32(3).data(64), "split.no is 3"},
		"split.no absent":     {head(3, 0, 1).key(splitCountKey, kindUint32).u32(3).data(64), `"split.no": missing`},
		"split.count is text": {head(3, 0, 1).key(splitCountKey, kindString).u64(0).data(64), `"split.count": got the string`},
		"split.count minus":   {head(3, 0, 1).key(splitCountKey, kindInt32).u32(math.MaxUint32).data(64), "not negative"},
		"split alone":         {head(3, 0, 3).key(splitCountKey, kindUint32).u32(3).key(splitNumberKey, kindUint32).u32(0).key(splitTensorsKey, kindInt32).u32(9).data(64), "of a split model"},
	}
}

// hostileDimensions: sizes that wrap (GHSA-vgg9-87g3-85w8, GHSA-96jg-mvhq-q7q7:
// elements times the type's size; the block formula that multiplies before it
// divides; products of two that are negative) and types beyond the table.
func hostileDimensions() map[string]hostileFile {
	one := func(kind uint32, dimensions ...uint64) []byte {
		return head(3, 1, 0).info("t", kind, 0, dimensions...).data(64)
	}
	many := head(3, 1, 0)
	many.text("t")
	return map[string]hostileFile{
		"no tensor":           {head(3, 1, 0).u64(0).u64(0).u64(0).Bytes(), "1 to 1024 bytes"},
		"name 2^64-1":         {head(3, 1, 0).u64(math.MaxUint64).data(64), "string of"},
		"name cut":            {head(3, 1, 0).u64(100).data(64), "cut file"},
		"name with a zero":    {head(3, 1, 0).info("t\x00", kindF32, 0, 1).data(64), "without a zero"},
		"five dimensions":     {one(kindF32, 1, 1, 1, 1, 1), "5 dimensions"},
		"2^32-1 dimensions":   {many.u32(math.MaxUint32).data(64), "4294967295 dimensions"},
		"zero":                {one(kindF32, 0), "dimension 0: got 0"},
		"zero of two":         {one(kindF32, 8, 0), "dimension 1: got 0"},
		"negative":            {one(kindF32, math.MaxUint64), "dimension 0: got 18446744073709551615"},
		"two negative":        {one(kindF32, math.MaxUint64, math.MaxUint64-1), "dimension 0"},
		"product wraps to 0":  {one(kindF32, 1<<32, 1<<32), "more than"},
		"product wraps to 16": {one(kindF32, 1<<32+1, 1<<32, 16), "more than"},
		"size wraps":          {one(kindF32, 1<<62), "more than"},
		"size wraps to 4":     {one(kindF32, 1<<62+1), "more than"},
		"blocks wrap":         {one(kindQ40, 1<<62), "cut file"},
		"K blocks wrap":       {one(kindQ4K, 1<<61, 2), "cut file"},
		"block row":           {one(kindQ40, 16, 2), "rows of 16 elements"},
		"K row":               {one(kindQ4K, 288), "rows of 288 elements"},
		"scalar of blocks":    {one(kindQ40), "rows of 1 elements"},
		"type 2^32-1":         {one(math.MaxUint32, 32), "type 4294967295 is unknown"},
		"type 42":             {one(42, 32), "type 42 is unknown"},
		"type 4, removed":     {one(4, 32), "type Q4_2 is not read"},
		"type 36, removed":    {one(36, 32), "type 36 is unknown"},
		"type not read":       {one(16, 256), "IQ2_XXS is not read"},
		"huge":                {one(kindF32, 1<<40), "cut file"},
	}
}

// hostilePlaces: offsets (CVE-2026-7482: offset and size trusted, and memory
// read beyond the file) and sums that wrap when they are padded
// (CVE-2025-53630, CVE-2026-27940).
func hostilePlaces() map[string]hostileFile {
	one := func(offset uint64, bytes int, dimensions ...uint64) []byte {
		return head(3, 1, 0).info("t", kindF32, offset, dimensions...).data(bytes)
	}
	two := func(a, b uint64) *rawGGUF {
		return head(3, 2, 0).info("a", kindF32, a, 16).info("b", kindF32, b, 16)
	}
	whole := head(3, 1, 0).info("t", kindF32, 0, 16).data(64)
	return map[string]hostileFile{
		"data absent":         {head(3, 1, 0).info("t", kindF32, 0, 16).Bytes(), "cut file"},
		"data cut":            {whole[:len(whole)-1], "cut file"},
		"offset beyond":       {one(64, 64, 16), "ends at byte 128 of the data, of which there are 64"},
		"offset 2^64-32":      {one(math.MaxUint64-31, 64, 16), "are more than"},
		"offset 2^63":         {one(1<<63, 64, 16), "are more than"},
		"offset 2^63-32":      {one(1<<63-32, 64, 16), "are more than"},
		"offset and size":     {one(1<<63-64, 64, 16), "are more than"},
		"offset not aligned":  {one(4, 128, 16), "want a multiple of 32"},
		"same place":          {two(0, 0).data(128), "inside another"},
		"overlap":             {two(0, 32).data(128), "inside another"},
		"overlap, backwards":  {two(32, 0).data(128), "inside another"},
		"name twice":          {head(3, 2, 0).info("a", kindF32, 0, 16).info("a", kindF32, 64, 16).data(128), `"a": name appears twice`},
		"sum of sizes wraps":  {head(3, 2, 0).info("a", kindF32, 0, 1<<60).info("b", kindF32, 1<<62, 1<<60).data(64), "are more than"},
		"padded sum wraps":    {head(3, 2, 0).info("a", kindF32, 0, 1<<61-4).info("b", kindF32, 1<<63-32, 1).data(64), "cut file"},
		"last byte of memory": {one(1<<63-32, 64, 7), "cut file"},
	}
}

// hostileBombs: lists without a limit (llama.cpp PR 19856), as large as ours
// allow and larger.
func hostileBombs() map[string]hostileFile {
	list := func(kind uint32, count, itemBytes int) []byte {
		r := head(3, 0, 1).key("a", kindArray).u32(kind).u64(uint64(count))
		r.Write(make([]byte, count*itemBytes))
		return r.Bytes()
	}
	nested := head(3, 0, 1).key("a", kindArray).u32(kindArray).u64(1 << 19)
	for range 1 << 19 {
		nested.u32(kindUint8).u64(0)
	}
	names, keys := head(3, maxGGUFTensors, 0), head(3, 0, maxPairs)
	for i := range maxGGUFTensors {
		names.info(fmt.Sprintf("%0900d", i), kindF32, 0)
	}
	for i := range maxPairs {
		keys.key(fmt.Sprintf("%01024d", i), kindString)
		keys.text(strings.Repeat("v", 2048))
	}
	short := head(3, maxGGUFTensors, 0)
	for i := range maxGGUFTensors {
		short.info(fmt.Sprint(i), kindF32, uint64(maxGGUFTensors-i)*32, 1)
	}
	return map[string]hostileFile{
		"empty strings":     {list(kindString, 3<<20, 8), "take more than"},
		"most strings":      {append(list(kindString, 1<<20, 8), 1, 2, 3)[:8<<20], "cut file"},
		"numbers":           {list(kindFloat64, 5<<20, 8), "take more than"},
		"bytes":             {list(kindUint8, 33<<20, 1), "take more than"},
		"empty lists":       {nested.Bytes()[:nested.Len()-1], "cut file"},
		"more empty lists":  {list(kindArray, 1<<20, 12), "take more than"},
		"long names":        {names.Bytes(), "take more than"},
		"long keys":         {keys.Bytes(), "take more than"},
		"tensors backwards": {short.data(32), "cut file"},
	}
}

func TestHostileGGUFIsOneQuickError(t *testing.T) {
	for name, c := range hostileGGUF() {
		took, grown, err := costOfParsing(c.file)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
			t.Errorf("%s: error %.500q, want one short line with %q", name, err, c.fault)
		}
		if took > 50*time.Millisecond || grown > 64<<20 {
			t.Errorf("%s: took %v and %d MiB, want at most 50 ms and 64 MiB", name, took, grown>>20)
		}
	}
}

// costOfParsing is the least processor time and memory of a few attempts: other
// processes share the caches, and garbage of earlier tests may be collected.
func costOfParsing(file []byte) (took time.Duration, grown uint64, err error) {
	took, grown = time.Hour, math.MaxUint64
	for attempt := 0; attempt < 5 && (took > 50*time.Millisecond || grown > 64<<20); attempt++ {
		if attempt > 0 {
			runtime.GC()
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begin := processTime()
		_, err = Parse("x", file)
		took = min(took, processTime()-begin)
		runtime.ReadMemStats(&after)
		grown = min(grown, after.TotalAlloc-before.TotalAlloc)
	}
	return took, grown, err
}

func TestEveryCutOfAGGUFIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := WriteGGUF(path, everyKind(), ggufTensors(t)[:2]); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := 5 * 4
	end := len(whole) - len(padding(last, defaultAlignment))
	for n := range end {
		if _, err := Parse("x", whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes gave no error", n, len(whole))
		}
	}
	if _, err := Parse("x", whole[:end]); err != nil {
		t.Fatalf("without the padding at the end: %v", err)
	}
}

// FuzzGGUF: what is read has tensors within the file, and can be written and
// read again.
func FuzzGGUF(f *testing.F) {
	for _, c := range smallHostileGGUF() {
		f.Add(c.file)
	}
	whole, _, err := encodeGGUF(everyKind(), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(head(2, 1, 0).info("t", kindQ40, 0, 32, 1).data(32))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !strings.HasPrefix(string(data), ggufMagic) {
			data = append([]byte(ggufMagic), data...)
		}
		file, err := Parse("x", data)
		if err != nil {
			return
		}
		var tensors []NamedTensor
		total := 0
		for _, name := range file.Names() {
			x, err := file.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.Validate(); err != nil {
				t.Fatal(err)
			}
			total += len(x.Data)
			if x.Format.Decodes() {
				if _, err := x.Float32s(); err != nil {
					t.Fatal(err)
				}
			}
			if len(name) <= maxGGUFName {
				tensors = append(tensors, NamedTensor{Name: name, Format: x.Format, Shape: x.Shape, Data: x.Data})
			}
		}
		if total > len(data) {
			t.Fatalf("tensors of %d bytes in a file of %d", total, len(data))
		}
		again, _, err := encodeGGUF(file.Metadata(), tensors)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		h, _, err := parseGGUFHead(again)
		if err != nil || len(h.entries) != len(tensors) || len(h.metadata) != len(file.Metadata()) {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

// TestWholeHeads: what is strange but sound is read.
func TestWholeHeads(t *testing.T) {
	for name, file := range map[string][]byte{
		"nothing":        head(3, 0, 0).Bytes(),
		"version 2":      head(2, 1, 0).info("t", kindQ40, 0, 32).data(18),
		"hole":           head(3, 1, 0).info("t", kindF32, 64, 1).data(100),
		"huge alignment": head(3, 0, 1).key(alignmentKey, kindUint32).u32(1 << 31).Bytes(),
		"scalar":         head(3, 1, 0).info("t", kindF32, 0).data(4),
	} {
		f, err := Parse("x", file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, n := range f.Names() {
			if x, err := f.Tensor(n); err != nil || x.Validate() != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
