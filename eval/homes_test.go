package eval

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// pickle is a text as Python pickles it: protocol 2 with BINUNICODE, or 4 with a frame and a short or an 8-byte length.
func pickle(text string, protocol byte) []byte {
	var p []byte
	if protocol == 2 {
		p = append(p, 0x80, 2, 'X')
		p = binary.LittleEndian.AppendUint32(p, uint32(len(text)))
		return append(append(p, text...), 'q', 0, '.')
	}
	p = append(p, 0x80, protocol, 0x95, 0, 0, 0, 0, 0, 0, 0, 0)
	if len(text) < 256 {
		p = append(p, 0x8c, byte(len(text)))
	} else {
		p = binary.LittleEndian.AppendUint64(append(p, 0x8d), uint64(len(text)))
	}
	return append(append(p, text...), 0x94, '.')
}

func packed(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write(data); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// liveLine is a made-up problem in LiveCodeBench's form.
func liveLine(t *testing.T, id, date, private, metadata string) string {
	t.Helper()
	line, err := json.Marshal(map[string]string{
		"question_id": id, "question_content": "Add.", "contest_date": date + "T00:00:00", "difficulty": "easy", "platform": "here", "starter_code": "def f(a):",
		"public_test_cases": `[{"input":"1","output":"2","testtype":"stdin"}]`, "private_test_cases": private, "metadata": metadata,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

func TestConvertReadsEachPublicForm(t *testing.T) {
	long := `[{"input":"` + strings.Repeat("9", 400) + `","output":"3"}]`
	for _, c := range []struct {
		name, source string
		want         []string // JSON lines
	}{
		{"aime24", `{"id":60,"problem":"P","answer":"025","url":"u","solution":"no"}`, []string{`{"id":"aime24-0","problem":"P","answer":"25","url":"u"}`}},
		{"aime24", `{"problem":"P","answer":"000"}`, []string{`{"id":"aime24-0","problem":"P","answer":"000"}`}},
		{"aime25", `{"prompt":"P\nPlease reason step by step, and put your final answer within \\boxed{}.","answer":70}`, []string{`{"id":"aime25-0","problem":"P","answer":"70"}`}},
		{"amc23", `{"id":5,"problem":"P","answer":27.0}`, []string{`{"id":"amc23-0","problem":"P","answer":"27"}`}},
		{"math500", `{"problem":"P","answer":"\\frac{1}{2}","subject":"Algebra","level":3,"unique_id":"test/a/1.json"}`, []string{`{"id":"test/a/1.json","problem":"P","answer":"\\frac{1}{2}","subject":"Algebra","level":"3"}`}},
		{"gsm8k", `{"question":"P","answer":"So 2 < 3.\n#### 1,200"}`, []string{`{"id":"gsm8k-test-0","problem":"P","answer":"1200"}`}},
		{"minerva", `{"problem":"P","solution":"so $\\boxed{1.6}$ cm","type":"T","idx":0}`, []string{`{"id":"minerva-0","problem":"P","answer":"1.6","subject":"T"}`}},
		{"olympiadbench", `{"id":7,"subfield":"Algebra","question":"\nP","final_answer":["$2$","3"],"error":"1e-1"}`, []string{`{"id":"olympiadbench-7","problem":"P","answer":"$2$, 3","subject":"Algebra","error":"1e-1"}`}},
		{"gpqa", "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\n\"P,\nQ\",\" a\",b,c,d\n", []string{`{"id":"gpqa-0","problem":"P,\nQ","answer":"a","wrong":["b","c","d"]}`}},
		{"humaneval", `{"task_id":"H/0","prompt":"def f(x):\n","entry_point":"f","test":"def check(c): pass","canonical_solution":"no"}`,
			[]string{`{"id":"H/0","problem":"Complete this function:\n\n` + "```python\\ndef f(x):\\n```" + `","entry_point":"f","prompt":"def f(x):\n","check":"def check(c): pass"}`}},
		{"mbpp", `{"task_id":10,"text":"P","test_list":["assert f(1)"]}` + "\n" + `{"task_id":11,"text":"P","test_list":["assert f(1)"],"test_setup_code":"import x"}`,
			[]string{`{"id":"mbpp-11","problem":"P\n\nIt must pass these tests:\n\n` + "```python\\nassert f(1)\\n```" + `","tests":[{"assert":"assert f(1)"}],"setup":"import x"}`}},
		{"livecodebench", liveLine(t, "early", "2024-07-31", "[]", "{}") + liveLine(t, "a", "2024-08-01", packed(t, pickle(long, 4)), `{"func_name":"f"}`) + liveLine(t, "b", "2025-01-31", packed(t, pickle(`[]`, 2)), "{}") + liveLine(t, "late", "2025-02-01", "[]", "{}"),
			[]string{
				`{"id":"a","problem":"Add.\n\nBegin with:\n\n` + "```python\\ndef f(a):\\n```" + `","subject":"here","level":"easy","date":"2024-08-01","tests":[{"input":"1","output":"2","testtype":"stdin"},` + long[1:] + `,"entry_point":"f"}`,
				`{"id":"b","problem":"Add.\n\nBegin with:\n\n` + "```python\\ndef f(a):\\n```" + `","subject":"here","level":"easy","date":"2025-01-31","tests":[{"input":"1","output":"2","testtype":"stdin"}]}`,
			}},
	} {
		b, err := LookupBenchmark(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Homes()) == 0 {
			t.Errorf("%s: no home", c.name)
		}
		var out strings.Builder
		n, err := b.Convert(strings.NewReader(c.source), &out, 0)
		if want := strings.Join(c.want, "\n") + "\n"; err != nil || n != len(c.want) || out.String() != want {
			t.Errorf("%s: %d problems, %v:\n%swant\n%s", c.name, n, err, out.String(), want)
		}
	}
	// The problems of a second file are counted on.
	b, err := LookupBenchmark("aime25")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := b.Convert(strings.NewReader(`{"prompt":"P","answer":1}`), &out, 15); err != nil || !strings.Contains(out.String(), `"aime25-15"`) {
		t.Errorf("%s, %v", out.String(), err)
	}
}

func TestConvertRefusesWhatItCannotRead(t *testing.T) {
	for _, c := range []struct{ name, source, want string }{
		{"gsm8k", `{"question":"P","answer":"12"}`, "line 1: the answer has no ####"},
		{"math500", "\n{\"problem\":\"P\",\"answer\":\"1\"}", "line 2: "},
		{"math500", `[1]`, "line 1: "},
		{"olympiadbench", `{"id":1,"question":"P","final_answer":"2"}`, "final_answer"},
		{"gpqa", "", "the names of the columns"},
		{"gpqa", "Question,Correct Answer\n\"open", "row 1"},
		{"mbpp", `{"task_id":"x"}`, "task_id"},
		{"humaneval", `{"task_id":"H/0","prompt":"def f"}`, "want the field tests"},
		{"livecodebench", liveLine(t, "a", "2024-09-01", "!", "{}"), "private_test_cases"},
		{"livecodebench", liveLine(t, "a", "2024-09-01", packed(t, []byte("cos\nsystem\n(S'true'\ntR.")), "{}"), "no pickled text"},
	} {
		b, err := LookupBenchmark(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Convert(strings.NewReader(c.source), &strings.Builder{}, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: got %v, want %q in it", c.name, c.source, err, c.want)
		}
	}
}

// No pickle, however it is cut or changed, makes unpickleText panic or gives more than it holds.
func FuzzUnpickleText(f *testing.F) {
	for _, protocol := range []byte{2, 4} {
		f.Add(pickle("[1]", protocol))
		f.Add(pickle(strings.Repeat("x", 300), protocol))
	}
	f.Add([]byte{0x8d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '.'})
	f.Fuzz(func(t *testing.T, p []byte) {
		text, err := unpickleText(p)
		if err == nil && !bytes.Contains(p, text) {
			t.Errorf("%q is not in %q", text, p)
		}
	})
}

func ExampleBenchmark_Homes() {
	b, _ := LookupBenchmark("gsm8k") // it is there
	fmt.Println(b.Homes()[0])
	// Output: https://raw.githubusercontent.com/openai/grade-school-math/master/grade_school_math/data/test.jsonl
}
