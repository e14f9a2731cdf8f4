//go:build long

package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The checked-in assembly is what the C sources give: this runs the lines of generate.go into another folder.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	version, err := exec.Command("clang-19", "--version").Output()
	if err != nil {
		t.Skip("not compared: there is no clang-19 here")
	}
	if !bytes.Contains(version, []byte("19.1.7")) {
		t.Skip("not compared: this clang-19 is not 19.1.7")
	}
	dir := t.TempDir()
	tool := filepath.Join(dir, "ctog")
	run(t, "go", "build", "-o", tool, "./ctog")
	for _, line := range generateLines(t) {
		prefix := filepath.Join(dir, line[1])
		run(t, tool, "-o", prefix, "-suffix", line[2], "-cflags", line[3], line[4])
		for _, extension := range []string{".s", ".go"} {
			got, err := os.ReadFile(prefix + extension)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(line[1] + extension)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s%s is not what %s gives: run go generate in internal/kernel", line[1], extension, line[4])
			}
		}
	}
}

func run(t *testing.T, name string, arguments ...string) {
	t.Helper()
	if out, err := exec.Command(name, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
}
