package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The tools are pinned: another version makes other bytes, and the test that regenerates would fail.
const (
	clang       = "clang-19"
	linker      = "ld.lld-19"
	disassemble = "llvm-objdump-19"
	version     = "19.1.7"
)

// maxStackBytes is what a function and its helpers may use: Go promises about 800 bytes below the frame of a function that
// checked the stack, and the stub, its call and the alignment of the C frame take the rest.
const maxStackBytes = 500

// line is one instruction, or a piece of constants (text empty).
type line struct {
	bytes    []byte
	text     string
	function string // in C
}

func checkVersion() error {
	out, err := exec.Command(clang, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s: %w", clang, err)
	}
	if got := string(bytes.SplitN(out, []byte("\n"), 2)[0]); !strings.Contains(got, version) {
		return fmt.Errorf("%s: version: got %q, want %s", clang, got, version)
	}
	return nil
}

// commonFlags: no call into a library, no jump table (its relocations would need a loader), a frame pointer chain that
// Go's unwinder can walk, and no contraction of a product and a sum.
var commonFlags = strings.Fields("-std=c11 -O3 -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno" +
	" -ffreestanding -fno-builtin -fno-pic -fno-stack-protector -fno-jump-tables" +
	" -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -fno-asynchronous-unwind-tables -ffunction-sections -fno-ident")

func runTool(name string, arguments ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	command := exec.Command(name, arguments...)
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", name, err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

func preprocess(o *options) ([]byte, error) {
	return runTool(clang, slices.Concat(architectures[o.goarch].flags, commonFlags, o.flags, []string{"-E", "-P", o.source})...)
}

func compile(o *options, object string) error {
	_, err := runTool(clang, slices.Concat(architectures[o.goarch].flags, commonFlags, o.flags, []string{"-fstack-usage", "-c", o.source, "-o", object})...)
	return err
}

// readStackUse returns the bytes of stack of each C function from clang's report (lines of file:line:name, bytes, kind).
func readStackUse(path string) (map[string]int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	use := map[string]int{}
	for _, l := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		fields := strings.Split(l, "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("stack report: line %q: got %d fields, want 3", l, len(fields))
		}
		name := fields[0][strings.LastIndex(fields[0], ":")+1:]
		size, err := strconv.Atoi(fields[1])
		if err != nil || strings.HasPrefix(fields[2], "dynamic") && !strings.Contains(fields[2], "bounded") {
			return nil, fmt.Errorf("stack report: %s: got %q, want a fixed size", name, fields[1]+" "+fields[2])
		}
		use[name] = size
	}
	return use, nil
}

// checkRegisters refuses code that touches a register that is not C's.
func (f *function) checkRegisters(a *architecture) error {
	for _, l := range f.lines {
		if a.reserved != nil && a.reserved.MatchString(l.text) {
			return fmt.Errorf("register: got %q, want none of %s", l.text, a.reserved)
		}
	}
	return nil
}

// checkStack follows the calls from the function to its helpers and takes the deepest way.
func (f *function) checkStack(a *architecture, use map[string]int) error {
	depth, err := f.depth(a, f.name, use, nil)
	if err != nil {
		return err
	}
	f.stackBytes = depth
	if depth > maxStackBytes {
		return fmt.Errorf("stack: got %d bytes, want at most %d", depth, maxStackBytes)
	}
	return nil
}

func (f *function) depth(a *architecture, name string, use map[string]int, callers []string) (int, error) {
	if slices.Contains(callers, name) {
		return 0, fmt.Errorf("stack: %s calls itself", name)
	}
	own, ok := use[name]
	if !ok {
		return 0, fmt.Errorf("stack report: %s is missing", name)
	}
	own += a.returnBytes
	deepest := 0
	for _, l := range f.lines {
		if l.function != name {
			continue
		}
		if a.align != nil {
			if m := a.align.FindStringSubmatch(l.text); m != nil {
				alignment, err := strconv.ParseInt(m[1], 16, 64)
				if err != nil {
					return 0, err
				}
				own += int(alignment)
			}
		}
		m := a.call.FindStringSubmatch(l.text)
		if m == nil && a.anyCall.MatchString(l.text) {
			return 0, fmt.Errorf("call of an unknown function: %q", l.text)
		}
		if m == nil || m[1] == name && !a.anyCall.MatchString(l.text) {
			continue // a jump to the function's own beginning is a loop
		}
		below, err := f.depth(a, m[1], use, append(callers, name))
		if err != nil {
			return 0, err
		}
		deepest = max(deepest, below)
	}
	return own + deepest, nil
}

// linkScript keeps one function, what it calls and its constants, in this order, in one section. Anything else that is
// referred to is an error of the linker: undefined, or defined in a discarded section.
const linkScript = `SECTIONS {
	. = %#x;
	.text : { *(.text.%s) *(.text .text.*) . = ALIGN(64); *(.rodata .rodata.*) }
	/DISCARD/ : { *(.data .data.*) *(.bss .bss.*) *(.comment) *(.note .note.*) *(.eh_frame) *(.llvm_addrsig) *(.llvm.*) }
}
`

// linkAt links the function for an address and returns the opened image and its code.
func (f *function) linkAt(address int, dir, object string) (file *elf.File, code []byte, err error) {
	script, image := filepath.Join(dir, "script.ld"), filepath.Join(dir, imageFile)
	if err := os.WriteFile(script, fmt.Appendf(nil, linkScript, address, f.name), 0o644); err != nil {
		return nil, nil, err
	}
	if _, err := runTool(linker, "-T", script, "--gc-sections", "-e", f.name, "-o", image, object); err != nil {
		return nil, nil, err
	}
	if file, err = elf.Open(image); err != nil {
		return nil, nil, err
	}
	section := file.Section(".text")
	if section == nil {
		return nil, nil, errors.Join(fmt.Errorf("linked image: no .text"), file.Close())
	}
	if code, err = section.Data(); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, code, nil
}

const imageFile = "image.elf"

// link fills f.lines. The code must not change with its address: a table that is reached by index may be reached absolutely.
func (f *function) link(a *architecture, dir, object string) error {
	other, moved, err := f.linkAt(0x40000, dir, object)
	if err != nil {
		return err
	}
	if err := other.Close(); err != nil {
		return err
	}
	file, code, err := f.linkAt(0x10000, dir, object)
	if err != nil {
		return err
	}
	defer file.Close()
	if !bytes.Equal(code, moved) {
		return fmt.Errorf("linked image: the code depends on its address; want no table that is indexed at run time")
	}
	section, image := file.Section(".text"), filepath.Join(dir, imageFile)
	end, err := f.readSymbols(file, section.Addr)
	if err != nil {
		return err
	}
	text, err := runTool(disassemble, slices.Concat([]string{"-d", "-z", "--no-show-raw-insn", "--no-leading-headers",
		fmt.Sprintf("--stop-address=%#x", section.Addr+uint64(end)), image}, a.disassembly)...)
	if err != nil {
		return err
	}
	return f.splitLines(code, section.Addr, end, string(text))
}

// readSymbols checks that the function is first and returns the end of the code.
func (f *function) readSymbols(file *elf.File, base uint64) (end int, err error) {
	symbols, err := file.Symbols()
	if err != nil {
		return 0, err
	}
	first := ""
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC {
			continue
		}
		if s.Value == base {
			first = s.Name
		}
		end = max(end, int(s.Value+s.Size-base))
	}
	if first != f.name {
		return 0, fmt.Errorf("linked image: first function: got %q, want %q", first, f.name)
	}
	return end, nil
}

// instructionPattern matches a label and its name, or an instruction's address and text.
var instructionPattern = regexp.MustCompile(`(?m)^([0-9a-f]+) <(\w+)>:$|^\s*([0-9a-f]+):\s+(.*)$`)

// splitLines cuts the code at the addresses of the disassembly; what follows the code is padding and constants.
func (f *function) splitLines(code []byte, base uint64, end int, disassembly string) error {
	var offsets []int
	var lines []line
	label := ""
	for _, m := range instructionPattern.FindAllStringSubmatch(disassembly, -1) {
		if m[2] != "" {
			label = m[2]
			continue
		}
		address, err := strconv.ParseUint(m[3], 16, 64)
		if err != nil {
			return err
		}
		offsets = append(offsets, int(address-base))
		lines = append(lines, line{text: strings.Join(strings.Fields(m[4]), " "), function: label})
	}
	if len(offsets) == 0 || offsets[0] != 0 {
		return fmt.Errorf("disassembly: does not begin with the function")
	}
	for i, offset := range offsets {
		next := end
		if i+1 < len(offsets) {
			next = offsets[i+1]
		}
		if next <= offset || next > len(code) {
			return fmt.Errorf("disassembly: address %#x: out of order", offset)
		}
		lines[i].bytes = code[offset:next]
	}
	for offset := end; offset < len(code); offset += 32 {
		lines = append(lines, line{bytes: code[offset:min(offset+32, len(code))]})
	}
	f.lines = lines
	return nil
}
