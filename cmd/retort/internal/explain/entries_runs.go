package explain

// runEntries are of runs and of training.
var runEntries = []Entry{
	{
		Code: "no-run", Status: 1, Meaning: "No run is kept under that name or in that folder.",
		Causes:  []string{"a typing error", "another folder of runs: --root names it"},
		Do:      []string{"retort runs ls lists the runs"},
		Example: "retort runs show wrm\nretort: wrm is no run; try: warm [no-run]",
	},
	{
		Code: "run-exists", Status: 1, Meaning: "The folder for a new run holds one already. Nothing is ever written over.",
		Causes:  []string{"the same --run twice"},
		Do:      []string{"--resume goes on with the run that is there; another --run begins a new one"},
		Example: "retort sft --run warm\nretort: runstore: warm: the folder already holds a run [run-exists]",
	},
	{
		Code: "run-held", Status: 1, Meaning: "Another process writes the run. Its lock goes when it ends, however it ends.",
		Causes:  []string{"the run still goes on, in another window"},
		Do:      []string{"wait, or stop the process that the message names"},
		Example: "retort sft --resume warm\nretort: runstore: warm: process 4711 holds the run; stop it, or wait for its end [run-held]",
	},
	{
		Code: "run-damaged", Status: 1, Meaning: "A file of the run cannot be read as what it should be. A last line that is cut short is passed over, so that this is more than a killed process.",
		Causes:  []string{"a file that was edited or copied in part", "a fault of the disk"},
		Do:      []string{"the message has the file and the line", "if the checkpoints are whole, a model can still be read from the run's folder", "retort doctor looks at every run"},
		Example: "retort runs show warm\nretort: runstore: warm/metrics.jsonl:7: ... [run-damaged]",
	},
	{
		Code: "other-build", Status: 1, Meaning: "The run was made by another build of the program, or on another instruction set, so that going on would not give the bits of an uninterrupted run.",
		Causes:  []string{"the program was built anew in between", "another machine"},
		Do:      []string{"go on with the program that began it, or accept other bits: --inexact"},
		Example: "retort sft --resume warm\nretort: runstore: build: got \"a\", the run was made with \"b\": the same bits cannot be promised; try: the program that began it, or --inexact [other-build]",
	},
	{
		Code: "other-run", Status: 1, Meaning: "The checkpoint, the traces or the data belong to another run or to another kind of it than what is to go on.",
		Causes:  []string{"the data file has changed since the run began", "--resume of a run of another command"},
		Do:      []string{"give the data back that it began with, or begin a new run"},
		Example: "retort grpo --resume warm\nretort: warm is a run of sft; try: retort sft --resume warm [other-run]",
	},
	{
		Code: "diverged", Status: 1, Meaning: "The loss or the gradient stopped being a finite number. The weights are those of the last good step.",
		Causes:  []string{"a learning rate that is too large", "no warmup", "data with broken examples"},
		Do:      []string{"a smaller optimizer.learning_rate; retort runs show RUN shows where it began"},
		Example: "retort sft texts.yaml\nretort: train: diverged: step 12: loss NaN [diverged]",
	},
	{
		Code: "no-data", Status: 1, Meaning: "Nothing is left to work on: fewer problems, examples or traces than are needed.",
		Causes:  []string{"filters that leave nothing", "examples longer than the model's positions", "a task that has fewer problems"},
		Do:      []string{"the message says what was left out and which setting does it"},
		Example: "retort distill --teacher weak\nretort: no trace of the teacher's is right and passes the filters; try: ... [no-data]",
	},
	{
		Code: "unsound", Status: 1, Meaning: "A gate about the machinery failed: this build computes something else than it should on this machine. No result of it is to be trusted.",
		Causes:  []string{"faulty memory or an overclocked processor", "a fault of this program"},
		Do:      []string{"retort doctor tests the kernels of every instruction set", "go test ./... ; report it with the output of retort version"},
		Example: "retort lab\nretort: a gate about the machinery failed: ... [unsound]",
	},
}
