package train

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/retort-ml/retort/internal/compute"
)

func TestPackBestFit(t *testing.T) {
	got := pack([]int{2, 7, 3, 5, 3}, 10)
	// 7 opens a bin, 5 another; 3 (index 2) fills 7's bin to 10, 3 (index 4) and 2 fill 5's.
	want := [][]int{{1, 2}, {0, 3, 4}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("pack gives %v, want %v", got, want)
	}
}

func TestPackLosesAndSplitsNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		lengths := make([]int, random.IntN(40))
		for i := range lengths {
			lengths[i] = 1 + random.IntN(16)
		}
		bins := pack(lengths, 16)
		seen := make([]int, len(lengths))
		for _, bin := range bins {
			rows := 0
			for _, i := range bin {
				rows += lengths[i]
				seen[i]++
			}
			if rows > 16 || !slices.IsSorted(bin) {
				t.Fatalf("bin %v has %d rows", bin, rows)
			}
		}
		if slices.ContainsFunc(seen, func(n int) bool { return n != 1 }) {
			t.Fatalf("sequences packed %v times", seen)
		}
		if !reflect.DeepEqual(bins, pack(lengths, 16)) {
			t.Fatal("two packings of the same lengths differ")
		}
	}
}

func TestFillBatch(t *testing.T) {
	sequences := []sequence{
		newSequence([]int32{10, 11, 12, 13}, 2, nil),
		newSequence([]int32{20, 21, 22, 23, 24}, 0, []bool{true, false, true, false, false}),
		newSequence([]int32{30, 31}, 0, nil),
	}
	if n := sequences[1].rows(); n != 2 {
		t.Errorf("rows after the last target were kept: got %d rows, want 2", n)
	}
	for i, want := range []int{2, 1, 1} {
		if got := sequences[i].targets(); got != want {
			t.Errorf("sequence %d: got %d targets, want %d", i, got, want)
		}
	}
	b := compute.Batch{Tokens: []int32{99}, DLogProb: []float32{9, 9, 9, 9, 9}}
	fillBatch(&b, sequences, []int{0, 1, 2})
	want := compute.Batch{
		Tokens:   []int32{10, 11, 12, 20, 21, 30},
		Seqs:     []compute.Seq{{Start: 0, Len: 3}, {Start: 3, Len: 2}, {Start: 5, Len: 1}},
		Rows:     []int32{1, 2, 4, 5},
		Targets:  []int32{12, 13, 22, 31},
		DLogProb: []float32{0, 0, 0, 0},
	}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("batch is\n%+v, want\n%+v", b, want)
	}
}
