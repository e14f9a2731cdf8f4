package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/retort-ml/retort/verify"
)

// Kind says how the answers of a benchmark are graded.
type Kind string

// The kinds.
const (
	Maths  Kind = "maths"  // verify.Check against the gold answer
	Choice Kind = "choice" // the same in choice mode: a letter
	Code   Kind = "code"   // a program is run against tests, in a sandbox or not at all
	Lab    Kind = "lab"    // by the task that made the problem
)

// Benchmark says how a benchmark is asked, sampled and graded, and where it comes from. It holds no problem.
type Benchmark struct {
	Name  string // as in --bench
	Title string
	// Published is its name in the published table, "" if it is not there.
	Published string
	Kind      Kind
	Options   verify.Options // of grading
	// Prompt is what the user says: {problem} and, of a choice, {choices} are filled in.
	Prompt string
	// System is the system message; "" means that there is none.
	System string
	// Samples per problem, Temperature, TopP and MaxTokens are those of the published protocol; SamplesFrom says who chose
	// the number of samples.
	Samples     int
	SamplesFrom string
	Temperature float32
	TopP        float32
	MaxTokens   int
	// Problems is how many there are, 0 where that depends on the version.
	Problems int
	File     string // its name in a data folder
	Source   string // its public home
	Licence  string
	Rights   string // what must not be done with the problems; "" for nothing beyond the licence
	Citation string
	// Since is when the problems became public, for the question whether a model has seen them.
	Since string
}

// What a maths problem is followed by (DeepSeek-R1 model card, usage recommendations).
const mathsDirective = "\nPlease reason step by step, and put your final answer within \\boxed{}."

// Prompts whose published wording is not known, or belongs to a grader of another form, are ours.
const (
	choicePrompt = "{problem}\n\n{choices}\n\nPlease reason step by step, and put the letter of the right choice within \\boxed{}."
	stdinPrompt  = "{problem}\n\nWrite a Python program that solves this. Unless the problem gives a function to complete, it reads standard input and writes standard output. Put the whole program in one block that begins with ```python and ends with ```."
	// functionPrompt is for problems that are a function to complete or to write.
	functionPrompt = "{problem}\n\nWrite the whole function in Python, with its imports. Put it in one block that begins with ```python and ends with ```."
)

const (
	fromPaper = "DeepSeek-R1, arXiv:2501.12948v2: 64 for AIME and GPQA, 16 for MATH, 8 for LiveCodeBench"
	fromUs    = "ours: the published protocol says 4 to 64, the fewer the larger the set"

	rightsMAA = "the problems belong to the Mathematical Association of America: not to be shipped"
)

// benchmarks holds the built-in ones by name.
var benchmarks = map[string]Benchmark{
	"aime24": maths(Benchmark{Title: "AIME 2024", Published: AIME2024, Samples: 64, SamplesFrom: fromPaper, Problems: 30,
		Source: "github.com/QwenLM/Qwen2.5-Math, evaluation/data/aime24", Licence: "MIT (the repository)", Rights: rightsMAA,
		Citation: "American Invitational Mathematics Examination I and II, 2024", Since: "February 2024"}),
	"aime25": maths(Benchmark{Title: "AIME 2025", Samples: 64, SamplesFrom: "as for AIME 2024", Problems: 30,
		Source: "github.com/QwenLM/QwQ, eval/data/aime25.jsonl", Licence: "Apache-2.0 (the repository)", Rights: rightsMAA,
		Citation: "American Invitational Mathematics Examination I and II, 2025", Since: "February 2025"}),
	"amc23": maths(Benchmark{Title: "AMC 2023", Samples: 16, SamplesFrom: fromUs, Problems: 40,
		Source: "github.com/QwenLM/Qwen2.5-Math, evaluation/data/amc23", Licence: "MIT (the repository)", Rights: rightsMAA,
		Citation: "American Mathematics Competitions 12A and 12B, 2023, the problems with integer answers", Since: "November 2023"}),
	"math500": maths(Benchmark{Title: "MATH-500", Published: MATH500, Samples: 16, SamplesFrom: fromPaper, Problems: 500,
		Source: "github.com/openai/prm800k, math_splits/test.jsonl", Licence: "MIT",
		Citation: "Lightman et al. 2023, arXiv:2305.20050; the problems: Hendrycks et al. 2021, arXiv:2103.03874", Since: "March 2021"}),
	"gsm8k": maths(Benchmark{Title: "GSM8K", Samples: 4, SamplesFrom: fromUs, Problems: 1319,
		Source: "github.com/openai/grade-school-math, data/test.jsonl", Licence: "MIT",
		Citation: "Cobbe et al. 2021, arXiv:2110.14168", Since: "October 2021"}),
	"minerva": maths(Benchmark{Title: "Minerva (OCW courses)", Samples: 4, SamplesFrom: fromUs, Problems: 272, File: "minerva_math",
		Options: verify.Options{Decimals: verify.DecimalsRounded, Percent: verify.PercentEither}, // golds are often rounded, and leave % outside the box
		Source:  "github.com/QwenLM/Qwen2.5-Math, evaluation/data/minerva_math", Licence: "CC BY-NC-SA 4.0 (MIT OpenCourseWare)",
		Rights: "not for commercial use: not to be shipped", Citation: "Lewkowycz et al. 2022, arXiv:2206.14858", Since: "June 2022"}),
	"olympiadbench": maths(Benchmark{Title: "OlympiadBench (maths, English, text)", Samples: 4, SamplesFrom: fromUs, Problems: 675,
		Source: "github.com/OpenBMB/OlympiadBench, OE_TO_maths_en_COMP", Licence: "MIT",
		Citation: "He et al. 2024, arXiv:2402.14008", Since: "February 2024"}),
	"gpqa": sampled(Benchmark{Title: "GPQA Diamond", Published: GPQADiamond, Kind: Choice, Options: verify.Options{Choice: true},
		Prompt: choicePrompt, Samples: 64, SamplesFrom: fromPaper, Problems: 198, File: "gpqa_diamond",
		Source: "github.com/idavidrein/gpqa", Licence: "CC BY 4.0", Rights: "the authors ask that no problem be shown in plain text online",
		Citation: "Rein et al. 2023, arXiv:2311.12022", Since: "November 2023"}),
	"livecodebench": sampled(Benchmark{Title: "LiveCodeBench, August 2024 to January 2025", Published: LiveCodeBench, Kind: Code, Prompt: stdinPrompt,
		Samples: 8, SamplesFrom: fromPaper, Source: "huggingface.co/datasets/livecodebench/code_generation_lite", Licence: "CC",
		Citation: "Jain et al. 2024, arXiv:2403.07974", Since: "August 2024"}),
	"humaneval": sampled(Benchmark{Title: "HumanEval", Kind: Code, Prompt: functionPrompt, Samples: 8, SamplesFrom: fromUs, Problems: 164,
		Source: "github.com/openai/human-eval, data/HumanEval.jsonl.gz", Licence: "MIT", Citation: "Chen et al. 2021, arXiv:2107.03374", Since: "July 2021"}),
	"mbpp": sampled(Benchmark{Title: "MBPP", Kind: Code, Prompt: functionPrompt, Samples: 4, SamplesFrom: fromUs, Problems: 500,
		Source: "github.com/google-research/google-research, mbpp", Licence: "CC BY 4.0", Citation: "Austin et al. 2021, arXiv:2108.07732", Since: "August 2021"}),
}

// maths fills in what all benchmarks of maths share.
func maths(b Benchmark) Benchmark {
	b.Kind, b.Prompt = Maths, "{problem}"+mathsDirective
	return sampled(b)
}

// sampled fills in the published sampling (DeepSeek-R1, arXiv:2501.12948v2, experimental setup).
func sampled(b Benchmark) Benchmark {
	b.Temperature, b.TopP, b.MaxTokens = 0.6, 0.95, 32768
	return b
}

// Benchmarks returns the names of the built-in benchmarks, sorted.
func Benchmarks() []string {
	names := make([]string, 0, len(benchmarks))
	for name := range benchmarks {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// LookupBenchmark returns a built-in benchmark.
func LookupBenchmark(name string) (Benchmark, error) {
	b, ok := benchmarks[name]
	if !ok {
		return Benchmark{}, fmt.Errorf("eval: no benchmark %q, want one of %s", name, strings.Join(Benchmarks(), ", "))
	}
	b.Name = name
	if b.File == "" {
		b.File = name
	}
	return b, nil
}
