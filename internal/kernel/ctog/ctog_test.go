package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestParameters(t *testing.T) {
	f := &function{name: "f"}
	for _, declaration := range []string{" const float *x", "i64 n", "float a", "int32_t b", "const  int32_t\n*slots", "double *out"} {
		if err := f.addParameter(declaration); err != nil {
			t.Fatal(err)
		}
	}
	want := []parameter{
		{"x", "*float32", false, 8, 0}, {"n", "int", false, 8, 8}, {"a", "float32", true, 4, 16}, {"b", "int32", false, 4, 20},
		{"slots", "*int32", false, 8, 24}, {"out", "*float64", false, 8, 32},
	}
	for i, p := range f.parameters {
		if p != want[i] {
			t.Errorf("parameter %d: got %v, want %v", i, p, want[i])
		}
	}
	if f.argBytes != 40 {
		t.Errorf("bytes of arguments: got %d, want 40", f.argBytes)
	}
	for declaration, want := range map[string]string{"double x": "type", "char *x": "type", "void": "no name", "float *g": "reserves"} {
		if err := f.addParameter(declaration); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want one with %q", declaration, err, want)
		}
	}
}

func TestEncode(t *testing.T) {
	got := encode([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	if want := "QUAD $0x0807060504030201; LONG $0x0c0b0a09; WORD $0x0e0d; BYTE $0x0f"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Arguments behind the sixth integer go to the stack, floats to vector registers.
func TestStub(t *testing.T) {
	f := &function{name: "f", goName: "fX"}
	for _, declaration := range []string{"i64 a", "i64 b", "i64 c", "float s", "i64 d", "i64 e", "i64 h", "int32_t i", "float *j"} {
		if err := f.addParameter(declaration); err != nil {
			t.Fatal(err)
		}
	}
	got := string(emitAssembly(&options{}, []*function{f}))
	for _, want := range []string{"TEXT ·fX(SB), 0, $32-72\n", "MOVQ h+48(FP), R9\n", "MOVSS s+24(FP), X0\n",
		"MOVLQSX i+56(FP), AX\n\tMOVQ AX, 0(SP)\n", "MOVQ j+64(FP), AX\n\tMOVQ AX, 8(SP)\n\tCALL fX_body<>(SB)\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("stub: got\n%s\nwant in it %q", got, want)
		}
	}
}

func TestStackOfTheDeepestCall(t *testing.T) {
	use := map[string]int{"top": 100, "shallow": 50, "deep": 300, "deeper": 20}
	lines := []line{
		{function: "top", text: "call 0x10040 <shallow>"}, {function: "top", text: "call 0x10080 <deep>"},
		{function: "deep", text: "and rsp, -0x20"}, {function: "deep", text: "call 0x100c0 <deeper>"},
	}
	f := &function{name: "top", lines: lines}
	if err := f.checkStack(use); err != nil || f.stackBytes != 108+308+32+28 {
		t.Errorf("got %d, %v, want 476", f.stackBytes, err)
	}
	use["shallow"] = 400
	if err := f.checkStack(use); err == nil || !strings.Contains(err.Error(), "got 516 bytes, want at most 500") {
		t.Errorf("got %v, want 516 bytes refused", err)
	}
	for text, want := range map[string]string{"call 0x10000 <top>": "calls itself", "call rax": "unknown function"} {
		f.lines = append(lines[:3:3], line{function: "deep", text: text})
		use["shallow"] = 50
		if err := f.checkStack(use); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// What cannot be carried into Go is refused, and refused code leaves no files.
func TestRefusals(t *testing.T) {
	if err := checkVersion(); err != nil {
		t.Skip("not run: ", err)
	}
	if _, err := exec.LookPath(linker); err != nil {
		t.Skip("not run: ", err)
	}
	const export = "#include <stdint.h>\ntypedef int64_t i64;\n#define EXPORT __attribute__((used))\n"
	for name, c := range map[string]struct{ code, want string }{
		"a good function":   {"EXPORT void f(float *x, i64 n) { for (i64 i = 0; i < n; i++) x[i] += 1.5f; }", ""},
		"a library call":    {"void other(float *x);\nEXPORT void f(float *x) { other(x); }", "undefined symbol: other"},
		"data":              {"static int n;\nEXPORT void f(float *x) { *x = (float)++n; }", "discarded"},
		"a large frame":     {"EXPORT void f(float *x, i64 n) { volatile float y[200]; y[n] = *x; *x = y[n / 2]; }", "want at most 500"},
		"a result":          {"EXPORT float f(float *x) { return *x; }", "want void"},
		"nothing to export": {"void f(float *x) { *x = 1; }", "no exported function"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			source := filepath.Join(dir, "f.c")
			if err := os.WriteFile(source, []byte(export+c.code+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			err := generate(&options{source: source, out: filepath.Join(dir, "out"), packageName: "p", constraint: "amd64"})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
			if _, missing := os.Stat(filepath.Join(dir, "out.s")); (missing == nil) != (c.want == "") {
				t.Errorf("out.s: got %v", missing)
			}
		})
	}
}
