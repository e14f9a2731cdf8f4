package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestPassAtKEqualsCountingSubsets(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for right := 0; right <= n; right++ {
			for k := 1; k <= n; k++ {
				// The answers 0..right-1 are right; count the subsets of size k that hold one.
				hits, subsets := 0, 0
				for subset := range 1 << n {
					size, isHit := 0, false
					for i := range n {
						if subset>>i&1 == 1 {
							size++
							isHit = isHit || i < right
						}
					}
					if size == k {
						subsets++
						if isHit {
							hits++
						}
					}
				}
				got, err := PassAtK(n, right, k)
				if want := float64(hits) / float64(subsets); err != nil || !near(got, want, 1e-12) {
					t.Fatalf("PassAtK(%d, %d, %d) = %v, %v, want %v", n, right, k, got, err, want)
				}
			}
		}
	}
	for _, c := range [][3]int{{4, 1, 5}, {4, 1, 0}, {4, 5, 1}, {4, -1, 1}, {-1, 0, 1}, {0, 0, 1}} {
		if _, err := PassAtK(c[0], c[1], c[2]); err == nil {
			t.Errorf("PassAtK%v gave no error", c)
		}
	}
}

func TestConsensus(t *testing.T) {
	a, b := Vote{"a", true, true}, Vote{"b", true, false}
	silent := Vote{"", false, false}
	for name, c := range map[string]struct {
		votes []Vote
		want  float64
	}{
		"right majority":          {[]Vote{a, b, a}, 1},
		"wrong majority":          {[]Vote{a, b, b}, 0},
		"tie":                     {[]Vote{a, b, b, a}, 0.5},
		"tie of three":            {[]Vote{a, b, {"c", true, false}}, 1.0 / 3},
		"silence does not vote":   {[]Vote{silent, silent, silent, a}, 1},
		"nobody votes":            {[]Vote{silent, silent}, 0},
		"mixed verdicts":          {[]Vote{a, a, {"a", true, false}, {"a", true, false}, b}, 0.5},
		"order does not matter":   {[]Vote{b, b, a, a, a}, 1},
		"the silent's are no tie": {[]Vote{silent, a, silent, a, b}, 1},
	} {
		got, err := ConsensusAtK(c.votes, len(c.votes), 1)
		if err != nil || !near(got, c.want, 1e-12) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, c.want)
		}
	}
	// One of each: a single answer is right half the time.
	votes := []Vote{a, b, a, b, a, b, a, b}
	got, err := ConsensusAtK(votes, 1, 7)
	if err != nil || !near(got, 0.5, 0.1) {
		t.Errorf("cons@1: got %v, %v, want about 0.5", got, err)
	}
	if again, _ := ConsensusAtK(votes, 1, 7); again != got {
		t.Error("the same seed gave another number")
	}
	// 5 of 8 are right: of all C(8,3) = 56 subsets of three, 40 have a right majority.
	votes = []Vote{a, a, a, a, a, b, b, b}
	if got, err := ConsensusAtK(votes, 3, 7); err != nil || !near(got, 40.0/56, 0.08) {
		t.Errorf("cons@3: got %v, %v, want about %v", got, err, 40.0/56)
	}
	if _, err := ConsensusAtK(votes, 9, 1); err == nil {
		t.Error("more than there are gave no error")
	}
}

func TestMeanOfTwoClusters(t *testing.T) {
	e, err := Mean([]float64{1, 1, 0, 0, math.NaN()}, []string{"a", "a", "b", "b", "c"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// squares 4 * 1/4 over 4*3, plus four pairs of 1/4 over 16.
	if want := math.Sqrt(1.0/12 + 1.0/16); !near(e.StandardError, want, 1e-12) {
		t.Errorf("standard error %v, want %v", e.StandardError, want)
	}
	// A resample is two draws of {0, 1}: 0, 1/2 and 1 with 1/4, 1/2, 1/4.
	if e.Value != 0.5 || e.Low != 0 || e.High != 1 || e.Problems != 4 || e.Clusters != 2 || e.Dropped != 1 {
		t.Errorf("got %+v", e)
	}
	alone, err := Mean([]float64{1, 1, 0, 0}, []string{"a", "b", "c", "d"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := math.Sqrt(1.0 / 12); !near(alone.StandardError, want, 1e-12) {
		t.Errorf("clusters of one: standard error %v, want that of a plain mean %v", alone.StandardError, want)
	}
	same, err := Mean([]float64{1, 1}, []string{"a", "b"}, nil)
	if err != nil || same.Low != 1 || same.High != 1 || same.StandardError != 0 {
		t.Errorf("equal values: %+v, %v", same, err)
	}
	one, err := Mean([]float64{0.25}, []string{"a"}, nil)
	if err != nil || one.Value != 0.25 || !math.IsNaN(one.StandardError) {
		t.Errorf("one problem: %+v, %v", one, err)
	}
}

func TestIntervalCoversTheTruth(t *testing.T) {
	// 40 clusters of 1 to 5 problems; a cluster's chance is uniform, so the true
	// mean is 1/2 and problems of a cluster are alike.
	random := rand.New(rand.NewPCG(1, 2))
	covered, coveredByError, ignored := 0, 0, 0
	const trials = 400
	for trial := range trials {
		var values []float64
		var clusters, alone []string
		for c := range 40 {
			chance := random.Float64()
			for range 1 + c%5 {
				values = append(values, 0)
				if random.Float64() < chance {
					values[len(values)-1] = 1
				}
				clusters = append(clusters, fmt.Sprint(c))
				alone = append(alone, fmt.Sprint(len(values)))
			}
		}
		e, err := Mean(values, clusters, &IntervalOptions{Resamples: 400, Seed: uint64(trial)})
		if err != nil {
			t.Fatal(err)
		}
		if !e.Excludes(0.5) {
			covered++
		}
		if near(e.Value, 0.5, 1.96*e.StandardError) {
			coveredByError++
		}
		naive, err := Mean(values, alone, &IntervalOptions{Resamples: 400, Seed: uint64(trial)})
		if err != nil {
			t.Fatal(err)
		}
		if !naive.Excludes(0.5) {
			ignored++
		}
	}
	if covered < trials*90/100 || covered > trials*98/100 {
		t.Errorf("the bootstrap interval covers the truth in %d of %d trials, want about 95 %%", covered, trials)
	}
	if coveredByError < trials*90/100 || coveredByError > trials*98/100 {
		t.Errorf("1.96 standard errors cover the truth in %d of %d trials, want about 95 %%", coveredByError, trials)
	}
	if ignored > covered-trials*3/100 {
		t.Errorf("without clusters %d trials are covered, with them %d: the clusters do nothing", ignored, covered)
	}
}

func TestPairedDifference(t *testing.T) {
	// The problems differ much, the models by 0.1 each time.
	a := []float64{0.1, 0.9, 0.3, 1.0, 0.5, 0.7}
	b := []float64{0.0, 0.8, 0.2, 0.9, 0.4, 0.6}
	clusters := []string{"1", "2", "3", "4", "5", "6"}
	e, err := PairedDifference(a, b, clusters, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !near(e.Value, 0.1, 1e-12) || !near(e.Low, 0.1, 1e-9) || !near(e.High, 0.1, 1e-9) || !e.Excludes(0) {
		t.Errorf("got %+v, want 0.1 exactly", e)
	}
	alone, err := Mean(a, clusters, nil)
	if err != nil {
		t.Fatal(err)
	}
	if alone.High-alone.Low < 0.3 {
		t.Errorf("the mean's own interval is %+v: this case shows nothing", alone)
	}
	b[2] = math.NaN()
	if e, err := PairedDifference(a, b, clusters, nil); err != nil || e.Dropped != 1 || e.Problems != 5 {
		t.Errorf("NaN: %+v, %v", e, err)
	}
	if _, err := PairedDifference(a, b[:3], clusters, nil); err == nil {
		t.Error("unequal lengths gave no error")
	}
}

func TestPairedRatio(t *testing.T) {
	a := []float64{0.3, 0.6, 0.9, 0.6}
	b := []float64{0.1, 0.2, 0.3, 0.2}
	clusters := []string{"1", "2", "3", "4"}
	e, err := PairedRatio(a, b, clusters, nil)
	if err != nil || !near(e.Value, 3, 1e-12) || !near(e.Low, 3, 1e-9) || !near(e.High, 3, 1e-9) || !math.IsNaN(e.StandardError) {
		t.Errorf("got %+v, %v, want 3 exactly", e, err)
	}
	// Only one of four problems is ever solved by b: often no resample holds it.
	e, err = PairedRatio([]float64{1, 1, 1, 1}, []float64{1, 0, 0, 0}, clusters, nil)
	if err != nil || e.Value != 4 || !math.IsInf(e.High, 1) || e.Low > 2 {
		t.Errorf("got %+v, %v", e, err)
	}
	e, err = PairedRatio([]float64{0, 0}, []float64{0, 0}, clusters[:2], nil)
	if err != nil || e.Low != 0 || !math.IsInf(e.High, 1) {
		t.Errorf("0/0: got %+v, %v, want nothing excluded", e, err)
	}
}

func TestEstimatesAreReproducibleAndRefuseNonsense(t *testing.T) {
	values, clusters := []float64{0, 1, 1, 0, 1}, []string{"a", "b", "c", "d", "e"}
	a, err := Mean(values, clusters, &IntervalOptions{Seed: 5, Resamples: 100})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Mean(values, clusters, &IntervalOptions{Seed: 5, Resamples: 100})
	if err != nil || a != b {
		t.Errorf("the same seed gave %+v and %+v, %v", a, b, err)
	}
	for fault, call := range map[string]func() error{
		"no problem": func() error { _, err := Mean([]float64{math.NaN()}, []string{"a"}, nil); return err },
		"as many":    func() error { _, err := Mean(values, clusters[:2], nil); return err },
		"resamples":  func() error { _, err := Mean(values, clusters, &IntervalOptions{Resamples: 3}); return err },
	} {
		if err := call(); err == nil || !strings.HasPrefix(err.Error(), "eval: ") || !strings.Contains(err.Error(), fault) {
			t.Errorf("got %v, want an error with %q", err, fault)
		}
	}
}

func TestEstimateInJSON(t *testing.T) {
	e := Estimate{Value: 4, StandardError: math.NaN(), Low: 1.5, High: math.Inf(1), Problems: 4, Clusters: 3, Dropped: 2}
	text, err := json.Marshal(e)
	if want := `{"value":4,"standard_error":null,"low":1.5,"high":null,"problems":4,"clusters":3,"dropped":2}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
	var back Estimate
	if err := json.Unmarshal(text, &back); err != nil || !math.IsNaN(back.StandardError) || !math.IsInf(back.High, 1) || back.Low != 1.5 || back.Dropped != 2 {
		t.Errorf("came back as %+v, %v", back, err)
	}
}

func TestPublishedFigures(t *testing.T) {
	all := PublishedFigures()
	if len(all) != 15*6-3+5+6+24 {
		t.Errorf("got %d figures", len(all))
	}
	seen := make(map[Published]bool)
	for _, p := range all {
		isRating := p.Measure == "rating"
		if p.Value <= 0 || isRating != (p.Value > 100) || isRating != (p.Benchmark == Codeforces) || p.Source == "" || seen[p] {
			t.Errorf("odd figure %+v", p)
		}
		seen[p] = true
	}
	got := FindPublished("R1-Distill-Qwen-1.5B", AIME2024, "")
	want := []Published{
		{"R1-Distill-Qwen-1.5B", AIME2024, "pass@1", 28.9, 64, SourcePaper},
		{"R1-Distill-Qwen-1.5B", AIME2024, "cons@64", 52.7, 64, SourcePaper},
		{"R1-Distill-Qwen-1.5B", AIME2024, "pass@1", 30.7, 64, SourceOpenR1},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := FindPublished("GPT-4o-0513", MATH500, "pass@1"); len(got) != 1 || got[0].Samples != 0 {
		t.Errorf("another maker's figure: %v", got)
	}
}
