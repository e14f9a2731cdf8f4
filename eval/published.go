package eval

// Published is one figure of another's report, in percent (a rating for
// Codeforces).
type Published struct {
	Model     string  `json:"model"`
	Benchmark string  `json:"benchmark"`
	Measure   string  `json:"measure"` // "pass@1", "cons@64", "rating"
	Value     float64 `json:"value"`
	Samples   int     `json:"samples"` // answers per problem behind it, 0 when not stated
	Source    string  `json:"source"`
}

// The names of benchmarks in the published table.
const (
	AIME2024      = "AIME 2024"
	MATH500       = "MATH-500"
	GPQADiamond   = "GPQA Diamond"
	LiveCodeBench = "LiveCodeBench"
	Codeforces    = "Codeforces"
)

// Sources of the published figures.
const (
	SourcePaper   = "DeepSeek-R1, arXiv:2501.12948v1, tables 2, 4 and 5"
	SourcePaperRL = "DeepSeek-R1, arXiv:2501.12948v1, table 6"
	SourcePaperV2 = "DeepSeek-R1, arXiv:2501.12948v2"
	SourceReadme  = "DeepSeek-R1 repository, README"
	SourceOpenR1  = "open-r1 repository, README (lighteval)"
)

// PublishedProtocol is how the paper's figures of its own models were sampled.
const PublishedProtocol = "temperature 0.6, top-p 0.95, at most 32,768 tokens; 64 answers per problem of AIME and GPQA, 16 of MATH and Codeforces, 8 of LiveCodeBench (v2)"

// none marks a cell that the source leaves empty.
const none = -1

// column is a column of the paper's table.
type column struct {
	benchmark, measure string
	samples            int
}

var paperColumns = [6]column{
	{AIME2024, "pass@1", 64}, {AIME2024, "cons@64", 64}, {MATH500, "pass@1", 16},
	{GPQADiamond, "pass@1", 64}, {LiveCodeBench, "pass@1", 8}, {Codeforces, "rating", 16},
}

// figures is a row of the paper's table, in the order of paperColumns.
type figures struct {
	model  string
	isOwn  bool // sampled by the paper's authors; others' figures are their makers'
	values [6]float64
}

var paperTable = []figures{
	{"GPT-4o-0513", false, [6]float64{9.3, 13.4, 74.6, 49.9, 32.9, 759}},
	{"Claude-3.5-Sonnet-1022", false, [6]float64{16.0, 26.7, 78.3, 65.0, 38.9, 717}},
	{"o1-mini", false, [6]float64{63.6, 80.0, 90.0, 60.0, 53.8, 1820}},
	{"o1-0912", false, [6]float64{74.4, 83.3, 94.8, 77.3, 63.4, 1843}},
	{"o1-1217", false, [6]float64{79.2, none, 96.4, 75.7, 63.4, 2061}},
	{"QwQ-32B-Preview", false, [6]float64{50.0, 60.0, 90.6, 54.5, 41.9, 1316}},
	{"R1-Distill-Qwen-1.5B", true, [6]float64{28.9, 52.7, 83.9, 33.8, 16.9, 954}},
	{"R1-Distill-Qwen-7B", true, [6]float64{55.5, 83.3, 92.8, 49.1, 37.6, 1189}},
	{"R1-Distill-Qwen-14B", true, [6]float64{69.7, 80.0, 93.9, 59.1, 53.1, 1481}},
	{"R1-Distill-Qwen-32B", true, [6]float64{72.6, 83.3, 94.3, 62.1, 57.2, 1691}},
	{"R1-Distill-Llama-8B", true, [6]float64{50.4, 80.0, 89.1, 49.0, 39.6, 1205}},
	{"R1-Distill-Llama-70B", true, [6]float64{70.0, 86.7, 94.5, 65.2, 57.5, 1633}},
	{"R1-Zero", true, [6]float64{71.0, 86.7, 95.9, 73.3, 50.0, 1444}},
	{"R1", true, [6]float64{79.8, none, 97.3, 71.5, 65.9, 2029}},
	{"DeepSeek-V3", true, [6]float64{39.2, none, 90.2, 59.1, 36.2, 1134}},
}

// rlTable is distillation beside RL at 32B; its other rows repeat the table above.
var rlTable = []figures{
	{"Qwen-32B-Zero", true, [6]float64{47.0, 60.0, 91.6, 55.0, 40.2, none}},
}

// openR1Table has AIME 2024, MATH-500, GPQA Diamond and LiveCodeBench, all
// pass@1 with 64, 4, 8 and 16 answers per problem.
var openR1Columns = [4]column{{AIME2024, "pass@1", 64}, {MATH500, "pass@1", 4}, {GPQADiamond, "pass@1", 8}, {LiveCodeBench, "pass@1", 16}}

var openR1Table = []struct {
	model  string
	values [4]float64
}{
	{"R1-Distill-Qwen-1.5B", [4]float64{30.7, 83.1, 35.8, 16.1}},
	{"R1-Distill-Qwen-7B", [4]float64{50.8, 94.5, 50.5, 37.4}},
	{"R1-Distill-Qwen-14B", [4]float64{65.9, 94.1, 61.5, 51.3}},
	{"R1-Distill-Qwen-32B", [4]float64{69.7, 95.6, 63.1, 56.0}},
	{"R1-Distill-Llama-8B", [4]float64{43.9, 88.6, 46.7, 37.4}},
	{"R1-Distill-Llama-70B", [4]float64{63.0, 95.1, 67.4, 55.9}},
}

// otherFigures are those where DeepSeek's sources differ or add.
var otherFigures = []Published{
	{"R1-Zero", AIME2024, "pass@1", 77.9, 64, SourcePaperV2},
	{"R1", AIME2024, "cons@64", 86.7, 64, SourcePaperV2},
	{"QwQ-32B-Preview", AIME2024, "pass@1", 44.0, 0, SourceReadme},
	{"Claude-3.5-Sonnet-1022", LiveCodeBench, "pass@1", 33.8, 0, SourceReadme},
	{"GPT-4o-0513", LiveCodeBench, "pass@1", 34.2, 0, SourceReadme},
	{"R1-Distill-Llama-8B", AIME2024, "pass@1", 41.7, 64, SourceOpenR1 + ", the figure that it repeats"},
}

// PublishedFigures returns the figures of DeepSeek-R1's table and of its
// independent replication, table by table and row by row. Where sources differ
// both are listed; the paper's comes first.
func PublishedFigures() []Published {
	var all []Published
	add := func(model string, isOwn bool, values []float64, columns []column, source string) {
		for i, value := range values {
			if value == none {
				continue
			}
			p := Published{Model: model, Benchmark: columns[i].benchmark, Measure: columns[i].measure, Value: value, Source: source}
			if isOwn {
				p.Samples = columns[i].samples
			}
			all = append(all, p)
		}
	}
	for _, row := range paperTable {
		add(row.model, row.isOwn, row.values[:], paperColumns[:], SourcePaper)
	}
	for _, row := range rlTable {
		add(row.model, row.isOwn, row.values[:], paperColumns[:], SourcePaperRL)
	}
	all = append(all, otherFigures...)
	for _, row := range openR1Table {
		add(row.model, true, row.values[:], openR1Columns[:], SourceOpenR1)
	}
	return all
}

// FindPublished returns all figures of a model, a benchmark and a measure; ""
// stands for any.
func FindPublished(model, benchmark, measure string) []Published {
	var found []Published
	for _, p := range PublishedFigures() {
		if (model == "" || p.Model == model) && (benchmark == "" || p.Benchmark == benchmark) && (measure == "" || p.Measure == measure) {
			found = append(found, p)
		}
	}
	return found
}
