package lint

// module is the path that every import of our own begins with.
const module = "github.com/retort-ml/retort"

// entry is one package of the house. It may import only packages of lower
// floors, and its package comment begins with the sentence.
type entry struct {
	floor    int
	path     string
	sentence string
}

// floors is the architecture. DO NOT CHANGE THIS DATA TO FIX A BUILD: a package
// that is not here, or that looks upward, is a question about the design.
//
// A folder `internal/...` below a package, and a command (package main) below
// one, belong to that package.
var floors = []entry{
	{0, "tensor", "A shaped view of bytes in one storage format; knows every format's block layout and the slow, obvious way to read and write it."},
	{0, "tokenizer", "Text to token ids and back, byte-exact with the reference tokenizers."},
	{0, "verify", "Decides whether an answer to a maths or code problem is right, wrong, or cannot be judged, and says why (code is run by a Runner that it declares)."},
	{0, "openai", "The wire types of the OpenAI-compatible API and a client for it."},
	{0, "runstore", "An append-only record on disk of what was run: resolved config, metrics, samples, checkpoints; defines Metric{Name, Unit, Formula} and the atomic checkpoint folder."},
	{0, "behaviour", "What a trace does: attempts, checks, turns back, gives up, and whether each check told the truth."},
	{0, "internal/sandbox", "Runs a foreign program where it can do no harm, or refuses."},
	{0, "internal/tinymodel", "The embedded model: bytes and the command that made them."},
	{1, "internal/kernel", "The inner loops, one plain Go version of each and one per instruction set."},
	{1, "weights", "Opens and writes model files (GGUF, safetensors) as metadata plus named tensors."},
	{1, "chat", "Messages to token ids through the model's own template (one BOS, one place), and reply ids back into thinking and answer."},
	{1, "hub", "Finds and fetches models and data: caches, resumable verified download."},
	{1, "internal/report", "Self-contained HTML and Markdown reports with charts."},
	{2, "internal/compute", "The operations of a transformer, forward and backward, as a plan of coarse ops; defines Device and implements it on the CPU."},
	{2, "task", "Problem sets: where a problem comes from, how it is asked, how its answer is graded, what it must not leak into."},
	{3, "internal/vulkan", "Device on a GPU through Vulkan."},
	{3, "model", "A decoder (Qwen2, Llama, Qwen3): config, weights, adapters (LoRA), and the plans of its forward and backward pass."},
	{4, "engine", "Many requests, one model: batches them, pages and shares their KV cache, samples, speculates; token ids in, token ids and log-probabilities out; declares Constraint (grammar and stop rules are supplied from above)."},
	{5, "llm", "Text in, text out: one Generator interface over a local model or a remote endpoint."},
	{5, "train", "Updates weights: SFT, logit distillation, on-policy distillation, GRPO and its relatives; optimiser, schedules, checkpoints (through `weights` into `runstore`'s atomic folder)."},
	{6, "eval", "Runs tasks on a Generator and reports pass@1, cons@k and their error bars beside published numbers."},
	{6, "distill", "Teacher to student: ask, verify, filter, mix, train."},
	{7, "lab", "The paper's claims from nothing at tiny scale: stages, gates, report."},
	{7, "internal/fleet", "Spreads generation and evaluation over machines through NATS JetStream (embedded by default)."},
	{7, "internal/server", "HTTP API and web page."},
	{8, "cmd/retort", "The command line: one file per command; flags, assembly and printing only."},
	{8, "internal/lint", "Tests the rules of the house on the source files themselves."},
}

// forbiddenImports maps an import path to what is used instead. A path that
// ends in a slash stands for everything below it.
var forbiddenImports = map[string]string{
	"C":                      "Go assembly in internal/kernel: Retort is one static binary without cgo",
	"math/rand":              "math/rand/v2 with an explicit *rand.Rand (PCG), whose state goes into the checkpoint",
	"log":                    "log/slog above floor 4, and an error or a value below",
	"golang.org/x/exp":       "the standard library",
	"golang.org/x/exp/":      "the standard library (slices, maps, cmp, iter)",
	"plugin":                 "a map literal",
	"io/ioutil":              "io and os",
	"github.com/pkg/errors":  "errors and fmt.Errorf with %w",
	"gopkg.in/yaml.v3":       "go.yaml.in/yaml/v4",
	"gopkg.in/yaml.v2":       "go.yaml.in/yaml/v4",
	"github.com/spf13/cobra": "github.com/alecthomas/kong",
	"encoding/gob":           "a format with a description in docs/formats",
}

// unsafePackages may import unsafe in code that is not a test, each for its reason.
var unsafePackages = map[string]string{
	"internal/kernel":  "aligned buffers and vector loads",
	"internal/compute": "arenas outside the Go heap",
	"weights":          "float views of a mapped file",
}

// blankImports may be imported for nothing but their effect, each for its reason.
var blankImports = map[string]string{
	"embed": "the compiler asks for it beside a //go:embed of bytes or of a string",
}

// Limits in lines. Between soft and hard a function or a file needs a reason
// below; over hard there is none. Tests and generated files are exempt.
const (
	softFunction = 60
	hardFunction = 80
	softFile     = 400
	hardFile     = 600
)

// longFunctions maps "path: name" to why the function reads better whole.
var longFunctions = map[string]string{}

// longFiles maps a path to why the file reads better whole.
var longFiles = map[string]string{}
