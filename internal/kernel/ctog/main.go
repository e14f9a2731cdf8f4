// Ctog turns C functions with intrinsics into checked-in Go assembly, so that building Retort needs only Go.
//
// It compiles one C file with a pinned clang, links each exported function with its helpers and its constants into one
// position-independent blob, and writes the blob as raw bytes with the disassembly as comments, beside a Go stub that
// carries the arguments from Go's stack to the C calling convention. Since nothing in the blob is understood or rewritten,
// every instruction that clang knows works.
//
// It does not support structures or doubles as arguments, results, calls into a C library, data that is written, or any
// architecture but amd64 and arm64.
//
// The files carry a digest of the C sources and flags, so that a test can tell without clang that they are current.
//
// Invariants: the output depends only on the C sources, the flags and the version of clang; a function whose stack use
// could leave the space that Go reserves below a frame, or which refers to anything outside itself or to a register that is not
// C's, is refused.
//
// An exported function is marked EXPORT, defined in the C sources as __attribute__((used)), and returns void:
//
//	EXPORT void addScaled(float *y, const float *x, i64 n, float a) { ... }
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// options are the command line of one run.
type options struct {
	source      string   // the C file
	out         string   // prefix of the two files to write, out.s and out.go; ends in _GOARCH
	packageName string   // Go package of the stubs
	suffix      string   // appended to each C name to make the Go name
	constraint  string   // build constraint of both files beside the architecture
	goarch      string   // of out, set by generate
	flags       []string // further flags for clang, naming the instruction set
	digest      string   // of the sources and flags, set by generate
}

func main() {
	var o options
	var flags string
	flag.StringVar(&o.out, "o", "", "prefix of the files to write, ends in _amd64 or _arm64")
	flag.StringVar(&o.packageName, "package", "kernel", "Go package of the stubs")
	flag.StringVar(&o.suffix, "suffix", "", "appended to each C function's name")
	flag.StringVar(&o.constraint, "constraint", "!purego", "build constraint of the files beside the architecture")
	flag.StringVar(&flags, "cflags", "", "further flags for clang, separated by spaces")
	flag.Parse()
	if flag.NArg() != 1 || o.out == "" {
		fmt.Fprintln(os.Stderr, "usage: ctog -o prefix [flags] file.c")
		os.Exit(2)
	}
	o.source, o.flags = flag.Arg(0), strings.Fields(flags)
	if err := generate(&o); err != nil {
		fmt.Fprintln(os.Stderr, "ctog:", err)
		os.Exit(1)
	}
}

// generate writes o.out.s and o.out.go.
func generate(o *options) error {
	if err := checkVersion(); err != nil {
		return err
	}
	var err error
	if o.goarch, err = target(o.out); err != nil {
		return err
	}
	a := architectures[o.goarch]
	dir, err := os.MkdirTemp("", "ctog")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	functions, err := parseExports(o)
	if err != nil {
		return err
	}
	object := filepath.Join(dir, "object.o")
	if err := compile(o, object); err != nil {
		return err
	}
	stack, err := readStackUse(strings.TrimSuffix(object, ".o") + ".su")
	if err != nil {
		return err
	}
	for _, f := range functions {
		if err := f.link(a, dir, object); err != nil {
			return fmt.Errorf("%s: %s: %w", o.source, f.name, err)
		}
		if err := f.checkRegisters(a); err != nil {
			return fmt.Errorf("%s: %s: %w", o.source, f.name, err)
		}
		if err := f.checkStack(a, stack); err != nil {
			return fmt.Errorf("%s: %s: %w", o.source, f.name, err)
		}
	}
	if o.digest, err = sourceDigest(o.source, o.flags); err != nil {
		return err
	}
	if err := os.WriteFile(o.out+".s", emitAssembly(o, functions), 0o644); err != nil {
		return err
	}
	return os.WriteFile(o.out+".go", emitStubs(o, functions), 0o644)
}

// sourceDigest is the SHA-256 of the flags, the C file, and every header beside it in the order of their names.
func sourceDigest(source string, flags []string) (string, error) {
	headers, err := filepath.Glob(filepath.Join(filepath.Dir(source), "*.h"))
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintln(hash, strings.Join(flags, " "))
	for _, path := range append([]string{source}, headers...) {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(hash, filepath.Base(path), len(text))
		hash.Write(text)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
