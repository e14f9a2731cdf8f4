package main

import (
	"fmt"
	"regexp"
	"strings"
)

// parameter is one argument of an exported function.
type parameter struct {
	name   string
	goType string
	float  bool // passed in a vector register
	size   int  // bytes on Go's stack
	offset int  // from the frame pointer
}

// function is one exported C function and what was made of it.
type function struct {
	name       string // in C
	goName     string
	parameters []parameter
	argBytes   int // of all parameters on Go's stack
	stackBytes int // most that the code and its helpers use
	lines      []line
}

// goTypes maps the C types that an argument may have to Go's. A const before the type is dropped.
var goTypes = map[string]string{
	"i64":       "int",
	"int64_t":   "int",
	"float":     "float32",
	"float *":   "*float32",
	"double *":  "*float64",
	"int32_t *": "*int32",
	"int32_t":   "int32",

	"uint32_t *": "*uint32",
	"uint16_t *": "*uint16",
	"uint8_t *":  "*uint8",
}

var exportPattern = regexp.MustCompile(`__attribute__\(\(used\)\)\s+(\w[\w\s]*?)\s+(\w+)\(([^)]*)\)\s*\{`)

// parseExports reads the exported functions' names and arguments from the preprocessed source.
func parseExports(o *options) ([]*function, error) {
	text, err := preprocess(o)
	if err != nil {
		return nil, err
	}
	var functions []*function
	for _, m := range exportPattern.FindAllStringSubmatch(string(text), -1) {
		if m[1] != "void" {
			return nil, fmt.Errorf("%s: %s: result type: got %s, want void", o.source, m[2], m[1])
		}
		f := &function{name: m[2], goName: m[2] + o.suffix}
		for _, declaration := range strings.Split(m[3], ",") {
			if err := f.addParameter(declaration); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", o.source, f.name, err)
			}
		}
		if a := architectures[o.goarch]; a.most > 0 && f.slots(a) > a.most {
			return nil, fmt.Errorf("%s: %s: arguments behind those in registers: got %d, want at most %d", o.source, f.name, f.slots(a), a.most)
		}
		functions = append(functions, f)
	}
	if len(functions) == 0 {
		return nil, fmt.Errorf("%s: no exported function", o.source)
	}
	return functions, nil
}

func (f *function) addParameter(declaration string) error {
	text := strings.Join(strings.Fields(declaration), " ")
	i := strings.LastIndexAny(text, " *")
	if i < 0 {
		return fmt.Errorf("argument %q: no name", declaration)
	}
	name := text[i+1:]
	cType := strings.TrimPrefix(strings.TrimSpace(text[:i+1]), "const ")
	goType, ok := goTypes[cType]
	if !ok {
		return fmt.Errorf("argument %s: type: got %q, want an integer, a float or a pointer to them", name, cType)
	}
	if name == "g" { // the assembler's name of the goroutine register
		return fmt.Errorf("argument %s: the Go assembler reserves this name", name)
	}
	p := parameter{name: name, goType: goType, float: goType == "float32", size: 8}
	if goType == "float32" || goType == "int32" {
		p.size = 4
	}
	p.offset = (f.argBytes + p.size - 1) / p.size * p.size
	f.argBytes = p.offset + p.size
	f.parameters = append(f.parameters, p)
	return nil
}
