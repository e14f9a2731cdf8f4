package train

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/retort-ml/retort/runstore"
)

// Recorder is what the loops ask of a run on disk.
var _ Recorder = (*runstore.Run)(nil)

// childVariable tells a copy of the test program to be the process that is killed: it holds the
// kind of run and the run's folder.
const childVariable = "RETORT_TRAIN_TEST_CHILD"

// TestChild is one process of a run that is killed and started again; by itself it does nothing.
func TestChild(t *testing.T) {
	kind, dir, ok := strings.Cut(os.Getenv(childVariable), " ")
	if !ok {
		t.Skip("only for TestKilledEqualsUninterrupted")
	}
	run, err := runstore.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		run, err = runstore.Create(dir, runstore.Manifest{ID: kind, Kind: kind, Metrics: Metrics(), Keep: 2})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	m, cpu := testModel(t, 1), testCPU(t, 2)
	setup := &Setup{Model: m, CPU: cpu, Recorder: run, Reflect: turnsAtNines}
	if _, err := runKinds[kind](context.Background(), setup, testEngine(t, m, cpu), testModel(t, 9), CheckpointOptions{EverySteps: 1}); err != nil {
		t.Fatal(err)
	}
}

// TestKilledEqualsUninterrupted kills the process of each kind of run at random moments, from its
// start to its end, starts it again until it is done, and wants the sha256 of the metrics, of the
// samples and of every file of the last checkpoint to be those of a run that was left alone.
func TestKilledEqualsUninterrupted(t *testing.T) {
	for kind := range runKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			whole, killed := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "run")
			begin := time.Now()
			if output, err := child(kind, whole).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			took := time.Since(begin)
			kills := 0
			for range 5 {
				c := child(kind, killed)
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(rand.Float64() * float64(took)))
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				if err := c.Wait(); err != nil {
					kills++
				}
			}
			if output, err := child(kind, killed).CombinedOutput(); err != nil {
				t.Fatalf("after %d kills: %v\n%s", kills, err, output)
			}
			want, got := digests(t, whole), digests(t, killed)
			if !slices.Equal(want, got) {
				t.Errorf("after %d kills\n%s\nwant\n%s", kills, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func child(kind, dir string) *exec.Cmd {
	c := exec.Command(os.Args[0], "-test.run=^TestChild$")
	c.Env = append(os.Environ(), childVariable+"="+kind+" "+dir)
	return c
}

// digests lists what the promise covers.
func digests(t *testing.T, dir string) (list []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "checkpoints", "step-00000007", "*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("the last checkpoint holds %v (%v)", files, err)
	}
	for _, path := range append(files, filepath.Join(dir, "metrics.jsonl"), filepath.Join(dir, "samples.jsonl")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(path) == "metrics.jsonl" && bytes.Count(text, []byte("\n")) != 7 {
			t.Errorf("metrics of %d steps, want 7", bytes.Count(text, []byte("\n")))
		}
		list = append(list, fmt.Sprintf("%s %d %x", filepath.Base(path), len(text), sha256.Sum256(text)))
	}
	return list
}
