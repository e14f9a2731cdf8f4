package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Estimate is a number with its uncertainty over problems like these.
type Estimate struct {
	Value float64
	// StandardError allows for problems of one cluster being alike (Miller 2024,
	// arXiv:2411.00640, section on clustered standard errors):
	//
	//	sum_i (s_i - m)^2 / (n (n-1)) + sum_c sum_{i != j in c} (s_i - m)(s_j - m) / n^2
	//
	// under the root. It is NaN for one problem, and for ratios.
	StandardError float64
	// Low and High are the 2.5th and the 97.5th percentile of the bootstrap, which
	// draws whole clusters with replacement. When all values are equal both are that
	// value: the interval says nothing about what these problems cannot show.
	Low  float64
	High float64
	// Problems is how many values went in, Clusters how many clusters they form.
	Problems int
	Clusters int
	// Dropped counts values that are NaN: problems without an answer that could be judged.
	Dropped int
}

// wireEstimate is an Estimate in JSON, which has neither NaN nor infinities.
type wireEstimate struct {
	Value         *float64 `json:"value"`          // null for NaN and infinities
	StandardError *float64 `json:"standard_error"` // null for NaN
	Low           *float64 `json:"low"`            // null for -Inf
	High          *float64 `json:"high"`           // null for +Inf
	Problems      int      `json:"problems"`
	Clusters      int      `json:"clusters"`
	Dropped       int      `json:"dropped"`
}

// MarshalJSON writes null for what JSON has no number for.
func (e Estimate) MarshalJSON() ([]byte, error) {
	finite := func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	}
	return json.Marshal(wireEstimate{finite(e.Value), finite(e.StandardError), finite(e.Low), finite(e.High), e.Problems, e.Clusters, e.Dropped})
}

// UnmarshalJSON is the inverse, but for a ratio that was infinite, which becomes
// NaN.
func (e *Estimate) UnmarshalJSON(text []byte) error {
	var w wireEstimate
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	or := func(x *float64, otherwise float64) float64 {
		if x == nil {
			return otherwise
		}
		return *x
	}
	*e = Estimate{
		Value: or(w.Value, math.NaN()), StandardError: or(w.StandardError, math.NaN()),
		Low: or(w.Low, math.Inf(-1)), High: or(w.High, math.Inf(1)),
		Problems: w.Problems, Clusters: w.Clusters, Dropped: w.Dropped,
	}
	return nil
}

// Excludes says whether the interval leaves a value out.
func (e Estimate) Excludes(value float64) bool { return value < e.Low || value > e.High }

// IntervalOptions say how intervals are drawn; nil and the zero value are fine.
type IntervalOptions struct {
	Resamples int    // of the bootstrap; 0 means 4000
	Seed      uint64 // of its draws
}

func (o *IntervalOptions) resolved() (IntervalOptions, error) {
	r := IntervalOptions{Resamples: 4000}
	if o != nil {
		r.Seed = o.Seed
		if o.Resamples != 0 {
			r.Resamples = o.Resamples
		}
	}
	if r.Resamples < 40 {
		return r, fmt.Errorf("resamples: got %d, want at least 40", r.Resamples)
	}
	return r, nil
}

// Mean estimates the mean of one value per problem; clusters[i] names the
// cluster of problem i. NaN values are dropped and counted.
func Mean(values []float64, clusters []string, o *IntervalOptions) (Estimate, error) {
	e, err := estimate(values, nil, clusters, o)
	if err != nil {
		return Estimate{}, fmt.Errorf("eval: mean: %w", err)
	}
	return e, nil
}

// PairedDifference estimates the mean of a[i] - b[i], two models on the same
// problems. What makes a problem hard for both drops out, so the interval is
// narrower than those of the two means. Problems where either is NaN are
// dropped and counted.
func PairedDifference(a, b []float64, clusters []string, o *IntervalOptions) (Estimate, error) {
	if len(a) != len(b) {
		return Estimate{}, fmt.Errorf("eval: difference: got %d and %d values, want as many", len(a), len(b))
	}
	difference := make([]float64, len(a))
	for i := range a {
		difference[i] = a[i] - b[i]
	}
	e, err := estimate(difference, nil, clusters, o)
	if err != nil {
		return Estimate{}, fmt.Errorf("eval: difference: %w", err)
	}
	return e, nil
}

// PairedRatio estimates mean(a) / mean(b), two models on the same problems,
// each resample dividing the means of the same clusters. A resample whose
// mean(b) is 0 counts as +Inf (as NaN when mean(a) is 0, too, which counts as
// 0 for Low and +Inf for High). Problems where either is NaN are dropped.
func PairedRatio(a, b []float64, clusters []string, o *IntervalOptions) (Estimate, error) {
	if len(a) != len(b) {
		return Estimate{}, fmt.Errorf("eval: ratio: got %d and %d values, want as many", len(a), len(b))
	}
	e, err := estimate(a, b, clusters, o)
	if err != nil {
		return Estimate{}, fmt.Errorf("eval: ratio: %w", err)
	}
	return e, nil
}

// clusterSum is what the bootstrap needs to know of a cluster.
type clusterSum struct {
	count        float64
	above, below float64 // sums of the values, and of the divisors
}

// estimate handles the mean of above (below nil), or the ratio of two means.
func estimate(above, below []float64, clusters []string, o *IntervalOptions) (Estimate, error) {
	options, err := o.resolved()
	if err != nil {
		return Estimate{}, err
	}
	if len(above) != len(clusters) {
		return Estimate{}, fmt.Errorf("got %d values and %d clusters, want as many", len(above), len(clusters))
	}
	var e Estimate
	var sums []clusterSum
	place := make(map[string]int)
	kept := make([]int, 0, len(above)) // problems
	for i, value := range above {
		divisor := 1.0
		if below != nil {
			divisor = below[i]
		}
		if math.IsNaN(value) || math.IsNaN(divisor) {
			e.Dropped++
			continue
		}
		at, ok := place[clusters[i]]
		if !ok {
			at = len(sums)
			place[clusters[i]] = at
			sums = append(sums, clusterSum{})
		}
		sums[at].count++
		sums[at].above += value
		sums[at].below += divisor
		kept = append(kept, i)
	}
	if len(kept) == 0 {
		return Estimate{}, errors.New("no problem has a value")
	}
	e.Problems, e.Clusters = len(kept), len(sums)
	total := addUp(sums)
	e.Value = total.above / total.below // below adds up to the count for a mean
	e.StandardError = math.NaN()
	if below == nil {
		e.StandardError = standardError(above, kept, sums, e.Value)
	}
	e.Low, e.High = bootstrap(sums, options)
	return e, nil
}

func addUp(sums []clusterSum) (total clusterSum) {
	for _, s := range sums {
		total.count += s.count
		total.above += s.above
		total.below += s.below
	}
	return total
}

func standardError(values []float64, kept []int, sums []clusterSum, mean float64) float64 {
	n := float64(len(kept))
	if n < 2 {
		return math.NaN()
	}
	var squares, products float64
	for _, i := range kept {
		squares += (values[i] - mean) * (values[i] - mean)
	}
	for _, s := range sums {
		deviation := s.above - s.count*mean
		products += deviation * deviation
	}
	// products holds the pairs i = j, too.
	return math.Sqrt(max(0, squares/(n*(n-1))+(products-squares)/(n*n)))
}

// bootstrap returns the 2.5th and 97.5th percentile over resampled clusters.
func bootstrap(sums []clusterSum, o IntervalOptions) (low, high float64) {
	random := rand.New(rand.NewPCG(o.Seed, 0x6576616c)) // a stream of its own
	lows := make([]float64, o.Resamples)
	highs := make([]float64, o.Resamples)
	for i := range lows {
		var total clusterSum
		for range sums {
			s := sums[random.IntN(len(sums))]
			total.above += s.above
			total.below += s.below
		}
		value := total.above / total.below
		lows[i], highs[i] = value, value
		if math.IsNaN(value) { // 0/0 could be anything
			lows[i], highs[i] = 0, math.Inf(1)
		}
	}
	return percentile(lows, 0.025), percentile(highs, 0.975)
}

// percentile sorts values and interpolates between neighbours (Hyndman and Fan
// 1996, type 7).
func percentile(values []float64, p float64) float64 {
	slices.Sort(values)
	place := p * float64(len(values)-1)
	below := int(place)
	if below+1 >= len(values) || values[below] == values[below+1] {
		return values[below]
	}
	return values[below] + (place-float64(below))*(values[below+1]-values[below])
}
