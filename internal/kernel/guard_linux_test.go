package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/retort-ml/retort/tensor"
)

// guard gives out slices that lie between pages which may be neither read nor written.
type guard struct {
	t     *testing.T
	atEnd bool // slices end at the page behind them, else they begin at the page before them
	maps  [][]byte
}

func (g *guard) bytes(n int) unsafe.Pointer {
	page := os.Getpagesize()
	inside := (n + page - 1) / page * page
	memory, err := unix.Mmap(-1, 0, inside+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		g.t.Fatal(err)
	}
	g.maps = append(g.maps, memory)
	for _, border := range [][]byte{memory[:page], memory[page+inside:]} {
		if err := unix.Mprotect(border, unix.PROT_NONE); err != nil {
			g.t.Fatal(err)
		}
	}
	if g.atEnd {
		return unsafe.Pointer(&memory[page+inside-n])
	}
	return unsafe.Pointer(&memory[page])
}

// data returns n bytes 0, 1, 2, ...
func (g *guard) data(n int) []byte {
	x := unsafe.Slice((*byte)(g.bytes(n)), n)
	for i := range x {
		x[i] = byte(i)
	}
	return x
}

// floats returns n numbers between -1 and 1.
func (g *guard) floats(n int) []float32 {
	x := unsafe.Slice((*float32)(g.bytes(4*n)), n)
	for i := range x {
		x[i] = float32(i%7)/3 - 1
	}
	return x
}

// ints returns 0, 1, 2, ...
func (g *guard) ints(n int) []int32 {
	x := unsafe.Slice((*int32)(g.bytes(4*n)), n)
	for i := range x {
		x[i] = int32(i)
	}
	return x
}

func (g *guard) free() {
	for _, memory := range g.maps {
		if err := unix.Munmap(memory); err != nil {
			g.t.Error(err)
		}
	}
	g.maps = nil
}

// guardedOperations run one operation each at size n, on operands that are not a float longer than the contract asks.
var guardedOperations = map[string]func(g *guard, n int){
	"PackRows":    func(g *guard, n int) { PackRows(g.floats(PackedLen(n, n)), g.floats(n*n), n, n, n) },
	"PackColumns": func(g *guard, n int) { PackColumns(g.floats(PackedLen(n, 5)), g.floats(5*n), 5, n, n) },
	"Gemm": func(g *guard, n int) {
		for _, m := range []int{1, 2, 3, 4, 5, 7, 13} {
			Gemm(g.floats(m*n), n, g.floats(m*n), n, 1, g.floats(PackedLen(n, n)), m, n, n, g.floats(n), 0)
		}
	},
	"Gemm transposed": func(g *guard, n int) {
		n += 64 // from here A is copied
		Gemm(g.floats(25*n), n, g.floats(25*n), 1, 25, g.floats(PackedLen(n, n)), 25, n, n, g.floats(25*n), n)
	},
	"RoundBF16":    func(g *guard, n int) { RoundBF16(pairsOf(g.floats(3*((n+1)/2))), (n+1)/2, g.floats(3*n), n, 3, n) },
	"PackRowsBF16": func(g *guard, n int) { PackRowsBF16(pairsOf(g.floats(PackedLenBF16(n, n))), g.floats(n*n), n, n, n) },
	"PackRowsFromBF16": func(g *guard, n int) {
		PackRowsFromBF16(pairsOf(g.floats(PackedLenBF16(n, 2*n))), halvesOf(g.floats(n * n))[:n*n], n, n, n)
	},
	"GemmBF16": func(g *guard, n int) {
		pairs := (n + 1) / 2
		for _, m := range []int{1, 2, 3, 4, 5, 7, 13} {
			GemmBF16(g.floats(m*n), n, pairsOf(g.floats(m*pairs)), pairs, pairsOf(g.floats(PackedLenBF16(n, n))), m, n, n, g.floats(n), 0)
		}
	},
	"GemmF16": func(g *guard, n int) {
		for _, m := range []int{1, 5, 13} {
			GemmF16(g.floats(m*n), n, g.floats(m*n), n, PanelPairs(g.data(PanelBytes(tensor.F16, n, n))), m, n, n, g.floats(n), 0, pairsOf(g.floats(WidenedScratch())))
		}
	},
	"PackPanels": func(g *guard, n int) {
		PackPanels(g.data(PanelBytes(tensor.BF16, n, n)), tensor.BF16, g.data(2*n*n), n, n)
	},
	"RMSNorm": func(g *guard, n int) { RMSNorm(g.floats(3*n), g.floats(3*n), g.floats(n), g.floats(3), 3, n, 1e-6) },
	"RMSNormBackward": func(g *guard, n int) {
		RMSNormBackward(g.floats(3*n), g.floats(n), g.floats(3*n), g.floats(3*n), g.floats(n), g.floats(3), 3, n)
	},
	"RoPE":           func(g *guard, n int) { RoPE(g.floats(3*4*n), 4*n, g.ints(3), g.floats(3*2*n), 3, 2, 2*n, true) },
	"SwiGLU":         func(g *guard, n int) { SwiGLU(g.floats(2*n), g.floats(4*n), 2, n) },
	"SwiGLUBackward": func(g *guard, n int) { SwiGLUBackward(g.floats(4*n), g.floats(2*n), g.floats(4*n), 2, n) },
	"SoftmaxStats":   func(g *guard, n int) { SoftmaxStats(g.floats(4*3), g.floats(3*n), n, 3, n, 0.5, true) },
	"SoftmaxFinish":  func(g *guard, n int) { SoftmaxFinish(g.floats(n), g.floats(n), g.floats(4*n), n) },
	"Softmax":        func(g *guard, n int) { Softmax(g.floats(3*n), g.floats(3*n), n, 3, n, 0.5, g.floats(3)) },
	"AddScaled":      func(g *guard, n int) { AddScaled(g.floats(n), g.floats(n), 2) },
	"Add":            func(g *guard, n int) { Add(g.floats(n), g.floats(n), g.floats(n)) },
	"SumSquares":     func(g *guard, n int) { SumSquares(g.floats(n)) },
	"AdamW": func(g *guard, n int) {
		AdamW(g.floats(n), g.floats(n), g.floats(n), g.floats(n), AdamWStep{Correction1: 1, Correction2: 1, Epsilon: 1})
	},
	"KVWrite": func(g *guard, n int) {
		rows := min(n, BlockTokens)
		KVWrite(g.floats(BlockFloats(tensor.F32, 2, n)), tensor.F32, g.ints(rows), g.floats(rows*2*n), g.floats(rows*2*n), 2*n, rows, 2, n)
	},
	"Attention": func(g *guard, n int) {
		for _, rows := range []int{1, 5, 17} {
			blocks := (n + rows + BlockTokens - 1) / BlockTokens
			Attention(g.floats(rows*4*n), 4*n, g.floats(rows*4), g.floats(rows*4*n), 4*n, g.floats(blocks*BlockFloats(tensor.F32, 2, n)), tensor.F32, g.ints(blocks),
				rows, n, rows/5%2, 4, 2, n, 0.1, g.floats(AttentionScratch(4, 2, n)))
		}
	},
	"KVWrite Q8_0": func(g *guard, n int) {
		size := (n + 31) / 32 * 32
		KVWrite(g.floats(BlockFloats(tensor.Q8_0, 2, size)), tensor.Q8_0, g.ints(BlockTokens), g.floats(BlockTokens*2*size), g.floats(BlockTokens*2*size), 2*size, BlockTokens, 2, size)
	},
	"Attention Q8_0": func(g *guard, n int) {
		size := (n + 31) / 32 * 32
		for _, rows := range []int{1, 5, 17} {
			blocks := (n + rows + BlockTokens - 1) / BlockTokens
			Attention(g.floats(rows*4*size), 4*size, g.floats(rows*4), g.floats(rows*4*size), 4*size, g.floats(blocks*BlockFloats(tensor.Q8_0, 2, size)), tensor.Q8_0,
				g.ints(blocks), rows, n, rows/5%2, 4, 2, size, 0.1, g.floats(AttentionScratch(4, 2, size)))
		}
	},
	"KVWrite halves": func(g *guard, n int) {
		n += n % 2
		for _, f := range []tensor.Format{tensor.BF16, tensor.F16} {
			KVWrite(g.floats(BlockFloats(f, 2, n)), f, g.ints(BlockTokens), g.floats(BlockTokens*2*n), g.floats(BlockTokens*2*n), 2*n, BlockTokens, 2, n)
		}
	},
	"Attention halves": func(g *guard, n int) {
		size := n + n%2
		for _, f := range []tensor.Format{tensor.BF16, tensor.F16} {
			for _, rows := range []int{1, 5, 17} {
				blocks := (n + rows + BlockTokens - 1) / BlockTokens
				Attention(g.floats(rows*4*size), 4*size, g.floats(rows*4), g.floats(rows*4*size), 4*size, g.floats(blocks*BlockFloats(f, 2, size)), f,
					g.ints(blocks), rows, n, rows/5%2, 4, 2, size, 0.1, g.floats(AttentionScratch(4, 2, size)))
			}
		}
	},
	"AttentionBackward": func(g *guard, n int) {
		for _, rows := range []int{1, 5, 50} {
			wide, narrow := rows*4*n, (rows-1)*4*n+2*n
			AttentionBackward(g.floats(wide), g.floats(narrow), g.floats(narrow), 4*n, g.floats(wide), g.floats(wide), 4*n, g.floats(rows*4),
				g.floats(wide), g.floats(narrow), g.floats(narrow), 4*n, rows, 1, 4, 2, n, 0.1, g.floats(AttentionBackwardScratch(rows, 4, 2, n)))
		}
	},
}

// No operation touches memory before or behind its operands. One that did would end the test binary with a fault in the body of
// that operation, see TestGuardPagesCatch.
func TestGuardPages(t *testing.T) { eachLevel(t, testGuardPages) }

// TestGuardPagesQuantised: the operations with quantised weights of every format stay inside their operands as well.
func TestGuardPagesQuantised(t *testing.T) {
	eachQuantLevel(t, func(t *testing.T) {
		for _, f := range quantised() {
			elements, bytes := f.Block()
			for _, n := range []int{1, 16, 31, 33} {
				for _, blocks := range []int{1, 2, 3} {
					for _, m := range []int{1, 2, 3, 4, 5, 7, 13} {
						g, k := &guard{t: t, atEnd: (n+m+blocks)%2 == 0}, blocks*elements
						ld := QuantisedLen(k)
						b, a := g.data(QuantisedBytes(f, n, k)), pairsOf(g.floats(m*ld))
						PackQuantised(b, f, g.data(n*blocks*bytes), n, k)
						Quantise(a, ld, f, g.floats(m*k), k, m, k)
						GemmQuantised(g.floats(m*n), n, f, a, ld, b, m, n, k, g.floats(n), 0, pairsOf(g.floats(QuantisedScratch())))
						g.free()
					}
				}
			}
		}
	})
}

// TestGuardPagesBF16 covers what has one way more than there are levels.
func TestGuardPagesBF16(t *testing.T) { eachBF16Level(t, testGuardPages) }

func testGuardPages(t *testing.T) {
	for _, operation := range guardedOperations {
		for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 31, 33, 55} {
			for _, atEnd := range []bool{false, true} {
				g := &guard{t: t, atEnd: atEnd}
				operation(g, n)
				g.free()
			}
		}
	}
}

// again runs TestGuardPagesCatch in a child process, with qemu where this process runs in it: the kernel cannot start the binary.
func again(variable string) ([]byte, error) {
	arguments := []string{os.Args[0], "-test.run=^TestGuardPagesCatch$"}
	for {
		command := exec.Command(arguments[0], arguments[1:]...)
		command.Env = append(os.Environ(), variable)
		out, err := command.CombinedOutput()
		if !errors.Is(err, unix.ENOEXEC) || runtime.GOARCH != "arm64" {
			return out, err
		}
		arguments = append([]string{"qemu-aarch64"}, arguments...)
	}
}

// A read and a write one float too far are caught. Go cannot unwind a fault in C code, so a child process suffers it.
func TestGuardPagesCatch(t *testing.T) {
	const variable = "RETORT_TEST_GUARD"
	g := &guard{t: t, atEnd: true}
	longer := func(n int) []float32 { return unsafe.Slice(&g.floats(n)[0], n+1) }
	switch os.Getenv(variable) {
	case "read":
		AddScaled(make([]float32, 10), longer(9), 1)
		return
	case "write":
		AddScaled(longer(9), make([]float32, 10), 1)
		return
	}
	for _, fault := range []string{"read", "write"} {
		out, err := again(variable + "=" + fault)
		if errors.Is(err, unix.ENOEXEC) || errors.Is(err, exec.ErrNotFound) {
			t.Skipf("not run: this binary is for %s, and the child found no emulator: %v", runtime.GOARCH, err)
		}
		if err == nil || !strings.Contains(string(out), "fault") && !strings.Contains(string(out), "unexpected return pc") {
			t.Errorf("%s behind the end: got %v and %q, want a fault", fault, err, fmt.Sprintf("%.300s", out))
		}
	}
}
