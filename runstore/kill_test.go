package runstore

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestMain turns the test binary into the process that is killed when it is
// called as: binary train FOLDER LAST-STEP.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "train" {
		last, err := strconv.Atoi(os.Args[3])
		if err == nil {
			err = train(os.Args[2], last, os.Stdout, plainDisk())
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var testManifest = Manifest{Kind: "test", Seed: 1 << 63, Build: "b", Level: "generic", Config: []byte(`{"a": {"b": [1, 2]}}`), Metrics: []Metric{
	{Name: "loss", Unit: "nat", Formula: "mean of -log p"},
	{Name: "odd", Unit: "1", Formula: "NaN every seventh step"},
}}

// toy is a training state whose every step depends on all earlier ones.
type toy struct{ weights, moments, step uint64 }

func (s *toy) advance() {
	s.step++
	s.moments = s.moments*6364136223846793005 + s.weights ^ s.step
	s.weights += s.moments>>17 | 1
}

func (s *toy) loss() float64 { return float64(s.weights>>11) * 0x1p-53 }

func (s *toy) save(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "optimizer"), 0o755); err != nil {
		return err
	}
	weights := binary.LittleEndian.AppendUint64(nil, s.weights)
	if err := os.WriteFile(filepath.Join(dir, "weights.bin"), weights, 0o644); err != nil {
		return err
	}
	moments := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, s.moments), s.step)
	return os.WriteFile(filepath.Join(dir, "optimizer", "moments.bin"), moments, 0o644)
}

func loadToy(dir string) (toy, error) {
	if dir == "" {
		return toy{}, nil
	}
	weights, err := os.ReadFile(filepath.Join(dir, "weights.bin"))
	if err != nil {
		return toy{}, err
	}
	moments, err := os.ReadFile(filepath.Join(dir, "optimizer", "moments.bin"))
	if err != nil || len(weights) != 8 || len(moments) != 16 {
		return toy{}, fmt.Errorf("%s: cut state: %v", dir, err)
	}
	return toy{binary.LittleEndian.Uint64(weights), binary.LittleEndian.Uint64(moments), binary.LittleEndian.Uint64(moments[8:])}, nil
}

// record appends what a step leaves behind; the sample's length varies so that
// writes are cut at all places of a line.
func (s *toy) record(r *Run) error {
	type sample struct {
		Step uint64 `json:"step"`
		Text string `json:"text"`
	}
	for i := range s.weights % 3 {
		text := fmt.Sprintf("%0*d <&>\n", 1+s.moments%3000, i)
		if err := r.AppendSample(sample{s.step, text}); err != nil {
			return err
		}
	}
	if err := r.AppendTiming(int(s.step), []Timing{{"step", time.Millisecond}}); err != nil {
		return err
	}
	odd := 1.0
	if s.step%7 == 0 {
		odd = math.NaN()
	}
	return r.AppendMetrics(int(s.step), []Value{{"odd", odd}, {"loss", s.loss()}})
}

// train goes on with the run in dir up to the last step, a checkpoint every
// third step and at the end, and says "ready" when it has resumed.
func train(dir string, last int, out io.Writer, d disk) error {
	r, err := openWith(dir, d)
	if err != nil {
		return err
	}
	defer r.Close()
	place, _, err := r.Rewind()
	if err != nil {
		return err
	}
	state, err := loadToy(place)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	for int(state.step) < last {
		state.advance()
		if err := state.record(r); err != nil {
			return err
		}
		if state.step%3 == 0 || int(state.step) == last {
			if err := r.Checkpoint(int(state.step), state.save); err != nil {
				return err
			}
		}
	}
	if err := r.Finish(StatusDone); err != nil {
		return err
	}
	return r.Close()
}

// killOnce starts a training process and kills it after a random time below
// longest: early, while it resumes, or while it works.
func killOnce(t *testing.T, dir string, random *rand.Rand, longest time.Duration) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(executable, "train", dir, "1000000000")
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	patience := time.Duration(random.Float64() * float64(longest))
	if random.IntN(4) > 0 {
		line, err := bufio.NewReader(output).ReadString('\n')
		if err != nil || line != "ready\n" {
			t.Fatalf("the process said %q, %v", line, err)
		}
	}
	time.Sleep(patience)
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := process.Wait(); err == nil {
		t.Fatal("the process was not killed")
	}
}

// expectConsistent opens a killed run, rewinds it and compares it with what the
// steps up to the checkpoint leave behind.
func expectConsistent(t *testing.T, dir string) int {
	t.Helper()
	r, err := openWith(dir, quickDisk())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	place, step, err := r.Rewind()
	if err != nil {
		t.Fatal(err)
	}
	got, err := loadToy(place)
	if err != nil {
		t.Fatal(err)
	}
	var want toy
	record, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range record.Rows {
		want.advance()
		if loss, ok := row.Get("loss"); row.Step != int(want.step) || !ok || loss != want.loss() {
			t.Fatalf("metrics: got %v, want step %d with loss %v", row, want.step, want.loss())
		}
	}
	if got != want || step != int(got.step) {
		t.Fatalf("checkpoint of step %d holds %v, metrics end at %v", step, got, want)
	}
	if entries, _ := filepath.Glob(filepath.Join(dir, checkpointsName, "*")); len(entries) > 2 {
		t.Fatalf("left behind: %v", entries)
	}
	return step
}

// uninterrupted makes a run up to the last step in one go.
func uninterrupted(t *testing.T, last int) Digests {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "whole")
	return trained(t, dir, last)
}

// quickDisk does not wait for the disk: only a machine that stops can tell.
func quickDisk() disk {
	d := plainDisk()
	d.sync = func(*os.File) error { return nil }
	return d
}

// trained goes on with dir, or makes it, and returns the digests at the end.
func trained(t *testing.T, dir string, last int) Digests {
	t.Helper()
	if r, err := create(dir, testManifest, quickDisk()); err == nil {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := train(dir, last, io.Discard, quickDisk()); err != nil {
		t.Fatal(err)
	}
	r, err := openWith(dir, quickDisk())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d, err := Digest(r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func expectSame(t *testing.T, got, want Digests) {
	t.Helper()
	gotSum, err := got.Sum()
	if err != nil {
		t.Fatal(err)
	}
	wantSum, err := want.Sum()
	if err != nil {
		t.Fatal(err)
	}
	if gotSum != wantSum {
		t.Fatalf("the resumed run differs: got %+v, want %+v", got, want)
	}
}

func TestKilledRunGoesOnByteForByte(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "killed")
	r, err := Create(dir, testManifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	step, advanced, kills := 0, 0, 24
	longest := 40 * time.Millisecond
	for i := 0; i < kills || advanced < kills/8 && i < 10*kills; i++ {
		killOnce(t, dir, random, longest)
		if i%2 == 1 { // the others resume from the raw remains
			reached := expectConsistent(t, dir)
			if reached < step {
				t.Fatalf("kill %d: the run fell back from step %d to %d", i, step, reached)
			}
			if reached > step {
				advanced++
			} else { // a busy machine needs longer to get anywhere
				longest = min(2*longest, 5*time.Second)
			}
			step = reached
		}
	}
	t.Logf("%d kills, step %d", kills, step)
	if advanced < kills/8 {
		t.Errorf("only %d of %d looks found progress: the kills come too early to mean anything", advanced, kills/2)
	}
	last := step + 8
	expectSame(t, trained(t, dir, last), uninterrupted(t, last))
}
