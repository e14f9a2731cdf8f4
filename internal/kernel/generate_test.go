package kernel

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// generateLine is one line of generate.go: output, suffix, flags, source.
var generateLine = regexp.MustCompile(`(?m)^//go:generate go run ./ctog -o (\S+) -suffix (\S+) -cflags "([^"]*)" (\S+)$`)

func generateLines(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile("generate.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := generateLine.FindAllStringSubmatch(string(text), -1)
	if want := strings.Count(string(text), "//go:generate"); want == 0 || len(lines) != want {
		t.Fatalf("generate.go: understood %d of %d lines", len(lines), want)
	}
	return lines
}

// Whoever changes the C sources makes the assembly anew: both carry the digest that ctog writes.
func TestGeneratedCodeHasTheSourcesDigest(t *testing.T) {
	for _, line := range generateLines(t) {
		headers, err := filepath.Glob(filepath.Join(filepath.Dir(line[4]), "*.h"))
		if err != nil || len(headers) == 0 {
			t.Fatalf("%s: headers: got %v, %v", line[4], headers, err)
		}
		hash := sha256.New()
		fmt.Fprintln(hash, line[3])
		for _, path := range append([]string{line[4]}, headers...) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(hash, filepath.Base(path), len(text))
			hash.Write(text)
		}
		want := fmt.Sprintf("// Sources: sha256 %x\n", hash.Sum(nil))
		for _, extension := range []string{".s", ".go"} {
			got, err := os.ReadFile(line[1] + extension)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(got, []byte(want)) {
				t.Errorf("%s%s is not made from csrc as it is: run go generate in internal/kernel with clang-19", line[1], extension)
			}
		}
	}
}
