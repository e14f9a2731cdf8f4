package main

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// architecture is what one GOARCH asks of the tools, and how Go's calling convention there meets that of C.
type architecture struct {
	flags            []string       // for clang
	disassembly      []string       // for the disassembler
	call             *regexp.Regexp // an instruction that calls, or jumps to, a function: its name
	anyCall          *regexp.Regexp // any instruction that calls
	align            *regexp.Regexp // an instruction that aligns the stack: to how many bytes, in hexadecimal; or nil
	reserved         *regexp.Regexp // an instruction that touches a register of Go's or of the system's; or nil
	returnBytes      int            // of stack that a call takes, beyond what clang reports
	integerRegisters []string       // for arguments, as the Go assembler names them
	vectorRegisters  []string
	most             int // arguments that may go to the stack, or 0 for any number
	load             func(p *parameter, toStack bool) string
	pass             func(load, source string, slot int) string              // an argument that goes to the stack
	stub             func(f *function, moves, body string, slots int) string // the function that Go calls
	encode           func(code []byte) string
}

// architectures by GOARCH.
//
// amd64: no red zone (a signal may arrive on this stack), and an own alignment of the stack, since Go aligns it to 8 bytes only.
//
// arm64: constants are reached by one instruction relative to the program counter (the tiny model); x18 belongs to the system
// on macOS and Windows, x27 to the Go assembler, and x28 is the goroutine, which a signal handler reads.
var architectures = map[string]*architecture{
	"amd64": {
		flags:            strings.Fields("--target=x86_64-linux-gnu -mcmodel=small -mno-red-zone -mstackrealign"),
		disassembly:      []string{"--x86-asm-syntax=intel"},
		call:             regexp.MustCompile(`^(?:call|jmp)\s+\S+\s+<(\w+)>$`),
		anyCall:          regexp.MustCompile(`^call`),
		align:            regexp.MustCompile(`^and\s+rsp, -(?:0x)?([0-9a-f]+)$`),
		returnBytes:      8,
		integerRegisters: []string{"DI", "SI", "DX", "CX", "R8", "R9"},
		vectorRegisters:  []string{"X0", "X1", "X2", "X3", "X4", "X5", "X6", "X7"},
		load:             func(p *parameter, toStack bool) string { return p.pick(toStack, "MOVQ", "MOVLQSX", "MOVSS", "MOVL") },
		pass: func(load, source string, slot int) string {
			return fmt.Sprintf("\t%s %s, AX\n\tMOVQ AX, %d(SP)\n", load, source, 8*slot)
		},
		stub: func(f *function, moves, body string, slots int) string {
			return fmt.Sprintf("TEXT ·%s(SB), 0, $%d-%d\n%s\tCALL %s<>(SB)\n\tRET\n", f.goName, 16+8*slots, f.argBytes, moves, body)
		},
		encode: encodeBytes,
	},
	"arm64": {
		flags:            strings.Fields("--target=aarch64-linux-gnu -mcmodel=tiny -ffixed-x18 -ffixed-x27 -ffixed-x28"),
		call:             regexp.MustCompile(`^bl?\s+\S+\s+<(\w+)>$`),
		anyCall:          regexp.MustCompile(`^(?:bl|blr|br)\s`),
		reserved:         regexp.MustCompile(`\b[wx](?:18|27|28)\b`),
		integerRegisters: []string{"R0", "R1", "R2", "R3", "R4", "R5", "R6", "R7"},
		vectorRegisters:  []string{"F0", "F1", "F2", "F3", "F4", "F5", "F6", "F7"},
		most:             len(spareRegisters),
		load:             func(p *parameter, toStack bool) string { return p.pick(toStack, "MOVD", "MOVW", "FMOVS", "MOVWU") },
		pass: func(load, source string, slot int) string {
			return fmt.Sprintf("\t%s %s, %s\n", load, source, spareRegisters[slot])
		},
		stub:   stubARM64,
		encode: encodeWords,
	},
}

// target is the architecture that the name of the files ends in, as the go command reads it.
func target(prefix string) (string, error) {
	name := filepath.Base(prefix)
	goarch := name[strings.LastIndex(name, "_")+1:]
	if architectures[goarch] == nil {
		return "", fmt.Errorf("%s: architecture: got %q behind the last _, want amd64 or arm64", prefix, goarch)
	}
	return goarch, nil
}

// spareRegisters hold the arguments of an arm64 function that go to the stack, until the stack is lowered: from then on the
// assembler would look for Go's arguments in the wrong place.
var spareRegisters = []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"}

// loweredARM64 is a multiple of 16, as the stack has to be. C looks for its arguments at the stack pointer, where Go keeps the
// return address, and its frame begins below, where Go keeps the frame pointer; 16 bytes keep both clear. With all spare registers
// it is 80, which, like the frame of an amd64 stub, the rest of Go's promise covers (see maxStackBytes).
func loweredARM64(slots int) int { return 16 + (8*slots+15)/16*16 }

func stubARM64(f *function, moves, body string, slots int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "TEXT ·%s(SB), 0, $0-%d\n%s\tSUB $%d, RSP\n", f.goName, f.argBytes, moves, loweredARM64(slots))
	for slot := range slots {
		fmt.Fprintf(&b, "\tMOVD %s, %d(RSP)\n", spareRegisters[slot], 8*slot)
	}
	fmt.Fprintf(&b, "\tCALL %s<>(SB)\n\tADD $%d, RSP\n\tRET\n", body, loweredARM64(slots))
	return b.String()
}

// encodeBytes writes raw bytes as data words of the amd64 assembler.
func encodeBytes(code []byte) string {
	var words []string
	for len(code) > 0 {
		switch {
		case len(code) >= 8:
			words = append(words, fmt.Sprintf("QUAD $0x%016x", binary.LittleEndian.Uint64(code)))
			code = code[8:]
		case len(code) >= 4:
			words = append(words, fmt.Sprintf("LONG $0x%08x", binary.LittleEndian.Uint32(code)))
			code = code[4:]
		case len(code) >= 2:
			words = append(words, fmt.Sprintf("WORD $0x%04x", binary.LittleEndian.Uint16(code)))
			code = code[2:]
		default:
			words = append(words, fmt.Sprintf("BYTE $0x%02x", code[0]))
			code = code[1:]
		}
	}
	return strings.Join(words, "; ")
}

// encodeWords writes raw bytes as data words of the arm64 assembler, which are 4 bytes; zeros fill the last.
func encodeWords(code []byte) string {
	var words []string
	for word := range slices.Chunk(code, 4) {
		var whole [4]byte
		copy(whole[:], word)
		words = append(words, fmt.Sprintf("WORD $0x%08x", binary.LittleEndian.Uint32(whole[:])))
	}
	return strings.Join(words, "; ")
}
