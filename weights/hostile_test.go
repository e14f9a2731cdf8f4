package weights

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/tensor"
)

// assemble returns a file of the given header and count of data bytes.
func assemble(head string, dataBytes int) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(file, head...), make([]byte, dataBytes)...)
}

func entryText(name, dtype, shape, offsets string) string {
	return fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":%s}`, name, dtype, shape, offsets)
}

// hostile holds faulty files and a part of the error that each must give.
func hostile() map[string]struct {
	file  []byte
	fault string
} {
	a := entryText("a", "F32", "[2]", "[0,8]")
	long := strings.Repeat("9", 30)
	type c = struct {
		file  []byte
		fault string
	}
	cases := map[string]c{
		"empty":             {nil, "cut file"},
		"seven bytes":       {make([]byte, 7), "cut file"},
		"header too long":   {binary.LittleEndian.AppendUint64(nil, 1<<62), "not a safetensors"},
		"header cut":        {assemble("{}", 0)[:9], "cut file"},
		"length 2^64-1":     {append(slices.Repeat([]byte{0xff}, 8), "{}"...), "not a safetensors"},
		"no object":         {assemble(`[]`, 0), "want '{'"},
		"no end":            {assemble(`{`, 0), "ends"},
		"text after":        {assemble(`{} {}`, 0), "after the JSON"},
		"data cut":          {assemble("{"+a+"}", 7), "cut file"},
		"data left over":    {assemble("{"+a+"}", 9), "after the last tensor"},
		"data, no tensor":   {assemble("{}", 9), "after the last tensor"},
		"hole":              {assemble("{"+a+","+entryText("b", "F32", "[1]", "[12,16]")+"}", 16), "hole of 4"},
		"hole at begin":     {assemble("{"+entryText("b", "F32", "[1]", "[4,8]")+"}", 8), "hole of 4"},
		"overlap":           {assemble("{"+a+","+entryText("b", "F32", "[1]", "[4,8]")+"}", 8), "inside another"},
		"same place":        {assemble("{"+a+","+entryText("b", "F32", "[2]", "[0,8]")+"}", 8), "inside another"},
		"same name":         {assemble("{"+a+","+entryText("a", "F32", "[1]", "[8,12]")+"}", 12), "twice"},
		"escaped same name": {assemble("{"+a+`,"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12), "twice"},
		"dtype":             {assemble("{"+entryText("a", "Q4_K", "[1]", "[0,8]")+"}", 8), `dtype "Q4_K"`},
		"negative":          {assemble("{"+entryText("a", "F32", "[-1]", "[0,8]")+"}", 8), "without sign"},
		"fraction":          {assemble("{"+entryText("a", "F32", "[2.0]", "[0,8]")+"}", 8), "want ','"},
		"leading zero":      {assemble("{"+entryText("a", "F32", "[02]", "[0,8]")+"}", 8), "leading zeros"},
		"huge number":       {assemble("{"+entryText("a", "F32", "["+long+"]", "[0,8]")+"}", 8), "number beyond"},
		"huge product":      {assemble("{"+entryText("a", "F32", "[4294967296,4294967296,4]", "[0,8]")+"}", 8), "more than"},
		"product wraps":     {assemble("{"+entryText("a", "F32", "[4611686018427387906]", "[0,8]")+"}", 8), "more than"},
		"nine dimensions":   {assemble("{"+entryText("a", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]")+"}", 8), "more than 8"},
		"end before begin":  {assemble("{"+entryText("a", "F32", "[2]", "[8,0]")+"}", 8), "want 8 bytes"},
		"size":              {assemble("{"+entryText("a", "F32", "[3]", "[0,8]")+"}", 8), "want 12 bytes"},
		"offset beyond":     {assemble("{"+entryText("a", "F32", "[2]", "[9223372036854775799,9223372036854775807]")+"}", 8), "cut file"},
		"one offset":        {assemble("{"+entryText("a", "F32", "[2]", "[0]")+"}", 8), "want 2"},
		"three offsets":     {assemble("{"+entryText("a", "F32", "[2]", "[0,8,8]")+"}", 8), "more than 2"},
		"no shape":          {assemble(`{"a":{"dtype":"F32","data_offsets":[0,8]}}`, 8), "want dtype, shape"},
		"shape twice":       {assemble(`{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}`, 8), "once each"},
		"unknown key":       {assemble(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8), `key "x"`},
		"metadata number":   {assemble(`{"__metadata__":{"a":1}}`, 0), `want '"'`},
		"metadata twice":    {assemble(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
		"not UTF-8":         {assemble("{\"\xff\":{}}", 0), "UTF-8"},
		"control character": {assemble("{\"\x01\":{}}", 0), "control"},
		"bad escape":        {assemble(`{"\q":{}}`, 0), "invalid character"},
		"string open":       {assemble(`{"a\"`, 0), "does not end"},
		"escape at the end": {assemble(`{"a\`, 0), "does not end"},
	}
	var many, texts strings.Builder
	for i := 0; many.Len() < maxHeaderBytes-100; i++ {
		fmt.Fprintf(&many, `,"%x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`, i)
	}
	for i := 0; i < maxMetadataTexts; i++ {
		fmt.Fprintf(&texts, `,"%x":"%0490d"`, i, i)
	}
	cases["most entries"] = c{assemble("{"+many.String()[1:]+"}", 1), "after the last tensor"}
	var backwards strings.Builder
	const count = 30_000
	for i := count; i > 0; i-- {
		fmt.Fprintf(&backwards, `,"%x":{"dtype":"F16","shape":[1],"data_offsets":[%d,%d]}`, i, 2*i-2, 2*i)
	}
	cases["backwards"] = c{assemble("{"+backwards.String()[1:]+"}", 2*count+1), "after the last tensor"}
	cases["most metadata"] = c{assemble(`{"__metadata__":{`+texts.String()[1:]+"}}", 1), "after the last tensor"}
	cases["more metadata"] = c{assemble(`{"__metadata__":{`+texts.String()[1:]+`,"x":""}}`, 1), "more than 4096"}
	cases["braces"] = c{assemble(`{"`+strings.Repeat("{", maxHeaderBytes-10)+`":3}`, 1), "name of 2097142 bytes"}
	cases["longest string"] = c{assemble(`{"`+strings.Repeat(`\u0041`, maxHeaderBytes/6-10)+`":3}`, 1), "name of 349515 bytes"}
	cases["longest text"] = c{assemble(`{"__metadata__":{"a":"`+strings.Repeat(`\u0041`, maxHeaderBytes/6-10)+`"}}`, 1), "after the last tensor"}
	cases["long dtype"] = c{assemble("{"+entryText("a", strings.Repeat("x", 1<<20), "[1]", "[0,4]")+"}", 4), "dtype"}
	cases["header too long by one"] = c{assemble("{}"+strings.Repeat(" ", maxHeaderBytes-1), 0), "not a safetensors"}
	return cases
}

func TestHostileFilesAreOneQuickError(t *testing.T) {
	for name, c := range hostile() {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := os.WriteFile(path, c.file, 0o644); err != nil {
			t.Fatal(err)
		}
		var err error
		// Other processes share the machine, and so the caches: the time that this
		// process itself needs counts, and the best of a few attempts.
		best, bytes := time.Hour, uint64(0)
		for attempt := 0; attempt < 5 && best > 50*time.Millisecond; attempt++ {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := processTime()
			var f *File
			if f, err = Open(path); err == nil {
				f.Close()
			}
			best = min(best, processTime()-begin)
			runtime.ReadMemStats(&after)
			bytes = after.TotalAlloc - before.TotalAlloc
		}
		if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
			t.Errorf("%s: error %.200v, want one short line with %q", name, err, c.fault)
		}
		if best > 50*time.Millisecond || bytes > 64<<20 {
			t.Errorf("%s: took %v and %d bytes, want 50 ms and 64 MiB", name, best, bytes)
		}
	}
}

func TestHostileIndexIsQuick(t *testing.T) {
	folder := t.TempDir()
	var text strings.Builder
	text.WriteString(`{"weight_map":{"":"x"`)
	for i := 0; text.Len() < maxIndexBytes-100; i++ {
		fmt.Fprintf(&text, `,"model.layers.%d.mlp.experts.weight":"model-%05d-of-00163.safetensors"`, i, i)
	}
	text.WriteString("}}")
	writeIndexText(t, folder, text.String())
	begin := processTime()
	if _, err := Open(folder); err == nil {
		t.Error("no error")
	}
	// The largest index allowed is that of a whole published model; it costs a
	// fraction of a second and no more.
	if took := processTime() - begin; took > time.Second {
		t.Errorf("took %v", took)
	}
}

func TestEveryCutOfAFileIsAnError(t *testing.T) {
	whole, err := os.ReadFile("testdata/reference.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := parseHeader(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes gave no error", n, len(whole))
		}
	}
	if _, err := parseHeader(whole); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesWhatIsNotAFile(t *testing.T) {
	folder := t.TempDir()
	if _, err := Open(filepath.Join(folder, "absent.safetensors")); err == nil || strings.Count(err.Error(), "absent") != 1 {
		t.Errorf("absent: %v, want one error that names the path once", err)
	}
	if err := os.Mkdir(filepath.Join(folder, singleName), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(folder); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("folder in place of a file: %v", err)
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, c := range hostile() {
		if len(c.file) < 1<<12 {
			f.Add(c.file)
		}
	}
	if whole, err := os.ReadFile("testdata/reference.safetensors"); err == nil {
		f.Add(whole)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		h, err := parseHeader(file)
		if err != nil {
			return
		}
		data := file[h.size:]
		var tensors []NamedTensor
		covered := 0
		for _, e := range h.entries {
			x := tensor.Tensor{Name: e.name, Format: e.format, Shape: e.shape, Data: data[e.begin:e.end]}
			if err := x.Validate(); err != nil {
				t.Fatal(err)
			}
			covered += len(x.Data)
			tensors = append(tensors, NamedTensor{Name: e.name, Format: e.format, Shape: e.shape, Data: x.Data})
		}
		if covered != len(data) {
			t.Fatalf("tensors cover %d of %d bytes", covered, len(data))
		}
		head, err := encodeHeader(tensors, texts(t, h.metadata), lengthBytes)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := parseHeader(append(head, data...))
		if err != nil || len(again.entries) != len(h.entries) {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

// texts returns metadata that holds only strings as a map.
func texts(t *testing.T, m Metadata) map[string]string {
	t.Helper()
	list := make(map[string]string)
	for _, pair := range m {
		text, err := m.String(pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		list[pair.Key] = text
	}
	return list
}

// FuzzIndex: whatever an index says, its shards lie beside it.
func FuzzIndex(f *testing.F) {
	for _, text := range []string{
		`{"metadata": {"total_size": 42, "x": [1, {"y": null}]}, "weight_map": {"a": "x.safetensors"}}`,
		`{"weight_map": {"a": "../x"}}`, `{"weight_map": {"a": ".."}}`, `{"weight_map": {"a": "C:\\x"}}`, `{"weight_map": {}, "weight_map": {}}`, `[]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		place, err := parseIndex(text)
		if err != nil {
			return
		}
		for name, shard := range place {
			if filepath.Base(filepath.Join("folder", shard)) != shard || !filepath.IsLocal(shard) {
				t.Fatalf("tensor %q: shard %q leads elsewhere", name, shard)
			}
		}
	})
}
