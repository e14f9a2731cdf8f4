package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// address finds where a server says that it is.
var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// browse runs a script that drives a browser over a page, and fails with what it prints. Without a browser the test is skipped.
func browse(t *testing.T, script, url string) {
	t.Helper()
	modules := os.Getenv("RETORT_PLAYWRIGHT")
	if modules == "" {
		t.Skip("RETORT_PLAYWRIGHT is not set: want a folder with node_modules/playwright-core")
	}
	for _, program := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "node", script, url)
	c.Env = append(os.Environ(), "SHOTS="+os.Getenv("RETORT_SHOTS"))
	c.WaitDelay = time.Second
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	t.Logf("%s", out)
}

// start builds a program, runs it until the test ends, and returns the address that it prints.
func start(t *testing.T, program string, arguments ...string) string {
	t.Helper()
	if os.Getenv("RETORT_PLAYWRIGHT") == "" {
		t.Skip("RETORT_PLAYWRIGHT is not set: want a folder with node_modules/playwright-core")
	}
	file := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, program).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", program, err, out)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, file, arguments...)
	c.WaitDelay = 5 * time.Second
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = c.Wait() // it was interrupted
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	url := address.FindString(line)
	if url == "" {
		t.Fatalf("%s printed %q (%v), want an address", program, strings.TrimSpace(line), err)
	}
	return url
}

// embedded serves the embedded model as a user would.
func embedded(t *testing.T) string {
	t.Helper()
	return start(t, "../../../../cmd/retort", "serve", "--listen", "127.0.0.1:0", "--chats", t.TempDir())
}

func TestRiver(t *testing.T) { browse(t, "../river.mjs", embedded(t)) }

// TestExact: forks on the page go by ids.
func TestExact(t *testing.T) { browse(t, "../exact.mjs", embedded(t)) }

func TestKnew(t *testing.T) { browse(t, "../knew.mjs", embedded(t)) }

func TestHostileSamples(t *testing.T) { browse(t, "../hostile.mjs", start(t, ".")) }
