//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/runstore"
)

// asProgram makes the test binary be the program, or a program that heeds no cancelling.
const asProgram = "RETORT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if sandbox.IsInit() {
		os.Exit(sandbox.Init())
	}
	switch os.Getenv(asProgram) {
	case "retort":
		main()
	case "deaf":
		ctx, _ := interruptible(context.Background(), os.Stderr, "")
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("cancelled")
		select {}
	default:
		os.Exit(atHome(m))
	}
}

// atHome runs the tests where a user's settings, caches and variables are not those of this machine.
func atHome(m *testing.M) int {
	home, err := os.MkdirTemp("", "retort-home-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(home)
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if name != "RETORT_DATA" && !strings.HasPrefix(name, "RETORT_BENCH") && (strings.HasPrefix(name, "RETORT_") || strings.HasPrefix(name, "HF_") || strings.HasPrefix(name, "OLLAMA_") || strings.HasPrefix(name, "XDG_")) {
			os.Unsetenv(name)
		}
	}
	os.Setenv("HOME", home)
	return m.Run()
}

// program starts the test binary as another program and returns its standard output.
func program(t *testing.T, kind string, arguments ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	c.Env = append(os.Environ(), asProgram+"="+kind)
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	narrow(t, pipe)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewScanner(pipe)
}

// narrow lets a program be no more than some lines ahead of who reads them, so that it is where they say even if they are read late. It is not to be had
// everywhere.
func narrow(t *testing.T, pipe io.ReadCloser) {
	t.Helper()
	const setPipeSize = 1031 // F_SETPIPE_SZ of Linux
	if file, ok := pipe.(*os.File); ok && runtime.GOOS == "linux" {
		if _, _, fault := syscall.Syscall(syscall.SYS_FCNTL, file.Fd(), setPipeSize, 4096); fault != 0 {
			t.Logf("the pipe stays wide: %v", fault)
		}
	}
}

func waitFor(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the program ended before it printed %s", text)
}

func TestInterruptLeavesACheckpoint(t *testing.T) {
	recipe, folder := smallRecipe(t, sftData(t)), filepath.Join(t.TempDir(), "run")
	c, lines := program(t, "retort", "sft", recipe, "--run", folder, "--json", "--set", "steps=1000000", "--set", "checkpoint.every_steps=1000000")
	waitFor(t, lines, `"step":2,`)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	waitFor(t, lines, `"event":"end"`)
	for lines.Scan() { // to its end, so that the program is not blocked
	}
	if err := c.Wait(); c.ProcessState.ExitCode() != exitStopped {
		t.Errorf("got %v, want exit status %d", err, exitStopped)
	}
	list, err := runstore.List(filepath.Dir(folder))
	if err != nil || len(list) != 1 || list[0].Status != runstore.StatusStopped || len(list[0].Checkpoints) != 1 || list[0].Checkpoints[0] != list[0].Step {
		t.Errorf("got %+v, %v; want a stopped run with a checkpoint of its last step", list, err)
	}
}

func TestSecondInterruptKills(t *testing.T) {
	c, lines := program(t, "deaf")
	waitFor(t, lines, "ready")
	for _, then := range []string{"cancelled", ""} {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if then != "" {
			waitFor(t, lines, then)
		}
	}
	killed := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	defer killed.Stop()
	_ = c.Wait()
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("got %v, want death by SIGTERM", c.ProcessState)
	}
}

func TestStopNotice(t *testing.T) {
	for arguments, want := range map[string]string{
		"grpo lab.yaml": "last checkpoint", "--json sft x": "last checkpoint", "--config file sft x": "last checkpoint", "serve m.gguf": "10s", "run serve": "stopping; ", "": "stopping; ",
	} {
		if got := stopNotice(strings.Fields(arguments)); !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q in it", arguments, got, want)
		}
	}
}
