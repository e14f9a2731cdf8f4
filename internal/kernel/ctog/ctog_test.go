package main

import (
	"fmt"
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
	code := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for goarch, want := range map[string]string{
		"amd64": "QUAD $0x0807060504030201; LONG $0x0c0b0a09; WORD $0x0e0d; BYTE $0x0f",
		"arm64": "WORD $0x04030201; WORD $0x08070605; WORD $0x0c0b0a09; WORD $0x000f0e0d",
	} {
		if got := architectures[goarch].encode(code); got != want {
			t.Errorf("%s: got %s, want %s", goarch, got, want)
		}
	}
}

// Arguments behind those in integer registers go to the stack, floats to vector registers. On arm64 the stack is lowered only when
// all are read, and by a multiple of 16 that leaves 16 bytes above them.
func TestStub(t *testing.T) {
	f := &function{name: "f", goName: "fX"}
	for _, declaration := range []string{"i64 a", "i64 b", "i64 c", "float s", "i64 d", "i64 e", "i64 h", "int32_t i", "float *j", "i64 k", "i64 l", "i64 m"} {
		if err := f.addParameter(declaration); err != nil {
			t.Fatal(err)
		}
	}
	for goarch, wants := range map[string][]string{
		"amd64": {"TEXT ·fX(SB), 0, $56-96\n", "MOVQ h+48(FP), R9\n", "MOVSS s+24(FP), X0\n",
			"MOVLQSX i+56(FP), AX\n\tMOVQ AX, 0(SP)\n", "MOVQ m+88(FP), AX\n\tMOVQ AX, 32(SP)\n\tCALL fX_body<>(SB)\n\tRET\n"},
		"arm64": {"TEXT ·fX(SB), 0, $0-96\n", "MOVD h+48(FP), R5\n", "FMOVS s+24(FP), F0\n", "MOVW i+56(FP), R6\n",
			"MOVD k+72(FP), R8\n\tMOVD l+80(FP), R9\n\tMOVD m+88(FP), R10\n\tSUB $48, RSP\n" +
				"\tMOVD R8, 0(RSP)\n\tMOVD R9, 8(RSP)\n\tMOVD R10, 16(RSP)\n\tCALL fX_body<>(SB)\n\tADD $48, RSP\n\tRET\n"},
	} {
		got := string(emitAssembly(&options{goarch: goarch, constraint: "!purego"}, []*function{f}))
		for _, want := range append(wants, "//go:build "+goarch+" && !purego\n") {
			if !strings.Contains(got, want) {
				t.Errorf("%s stub: got\n%s\nwant in it %q", goarch, got, want)
			}
		}
		if got, want := f.slots(architectures[goarch]), map[string]int{"amd64": 5, "arm64": 3}[goarch]; got != want {
			t.Errorf("%s: arguments on the stack: got %d, want %d", goarch, got, want)
		}
	}
}

func TestStackOfTheDeepestCall(t *testing.T) {
	for goarch, c := range map[string]struct {
		call, jump, unknown, align string
		want, most                 int
	}{
		"amd64": {"call", "jmp", "call rax", "and rsp, -0x20", 108 + 308 + 32 + 28, 516},
		"arm64": {"bl", "b", "br x3", "mov x29, sp", 100 + 300 + 20, 501},
	} {
		a := architectures[goarch]
		use := map[string]int{"top": 100, "shallow": 50, "deep": 300, "deeper": 20}
		lines := []line{
			{function: "top", text: c.call + " 0x10040 <shallow>"}, {function: "top", text: c.call + " 0x10080 <deep>"},
			{function: "deep", text: c.align}, {function: "deep", text: c.jump + " 0x100c0 <deeper>"},
			{function: "deep", text: c.jump + " 0x10080 <deep>"}, {function: "deep", text: c.jump + " 0x10090 <deep+0x10>"},
		}
		f := &function{name: "top", lines: lines}
		if err := f.checkStack(a, use); err != nil || f.stackBytes != c.want {
			t.Errorf("%s: got %d, %v, want %d", goarch, f.stackBytes, err, c.want)
		}
		use["shallow"] = c.most - 100 - 2*a.returnBytes
		if err := f.checkStack(a, use); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("got %d bytes, want at most 500", c.most)) {
			t.Errorf("%s: got %v, want %d bytes refused", goarch, err, c.most)
		}
		for text, want := range map[string]string{c.call + " 0x10000 <top>": "calls itself", c.unknown: "unknown function"} {
			f.lines = append(lines[:3:3], line{function: "deep", text: text})
			use["shallow"] = 50
			if err := f.checkStack(a, use); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s: got %v, want %q", goarch, text, err, want)
			}
		}
	}
}

func TestRegistersThatAreNotC(t *testing.T) {
	for text, want := range map[string]bool{"mov x28, x1": false, "ldr w18, [x0]": false, "add x1, x27, #0x8": false, "ldr q28, [x1, #0x18]": true, "b 0x1828 <f>": true} {
		f := &function{name: "f", lines: []line{{function: "f", text: text}}}
		if err := f.checkRegisters(architectures["arm64"]); (err == nil) != want {
			t.Errorf("%s: got error %v", text, err)
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
	many := strings.Repeat("i64 x, ", 17)
	for at := 'a'; strings.Contains(many, "x,"); at++ {
		many = strings.Replace(many, "x,", string(at)+"1,", 1)
	}
	for name, c := range map[string]struct{ code, want, only string }{
		"a good function":    {"EXPORT void f(float *x, i64 n) { for (i64 i = 0; i < n; i++) x[i] += 1.5f; }", "", ""},
		"a library call":     {"void other(float *x);\nEXPORT void f(float *x) { other(x); }", "undefined symbol: other", ""},
		"data":               {"static int n;\nEXPORT void f(float *x) { *x = (float)++n; }", "discarded", ""},
		"a table":            {"static const float t[] = {1, 2, 3, 5, 8, 13};\nEXPORT void f(float *x, i64 n) { *x = t[n]; }", "depends on its address", "amd64"},
		"a large frame":      {"EXPORT void f(float *x, i64 n) { volatile float y[200]; y[n] = *x; *x = y[n / 2]; }", "want at most 500", ""},
		"a result":           {"EXPORT float f(float *x) { return *x; }", "want void", ""},
		"nothing to export":  {"void f(float *x) { *x = 1; }", "no exported function", ""},
		"too many arguments": {"EXPORT void f(" + many + "float *z) { *z = (float)a1; }", "got 10, want at most 8", "arm64"},
		"Go's register":      {"EXPORT void f(float *x) { __asm__ volatile(\"mov x28, %0\" : : \"r\"(x)); }", "register", "arm64"},
	} {
		for _, goarch := range []string{"amd64", "arm64"} {
			if c.only != "" && c.only != goarch {
				continue
			}
			t.Run(goarch+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				source, out := filepath.Join(dir, "f.c"), filepath.Join(dir, "out_"+goarch)
				if err := os.WriteFile(source, []byte(export+c.code+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				err := generate(&options{source: source, out: out, packageName: "p"})
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got error %v, want %q", err, c.want)
				}
				if _, missing := os.Stat(out + ".s"); (missing == nil) != (c.want == "") {
					t.Errorf("%s.s: got %v", out, missing)
				}
			})
		}
	}
	if err := generate(&options{source: "f.c", out: "zz_riscv64"}); err == nil || !strings.Contains(err.Error(), "want amd64 or arm64") {
		t.Errorf("riscv64: got error %v", err)
	}
}
