package explain

// fileEntries are of files and the disk.
var fileEntries = []Entry{
	{
		Code: "no-file", Status: 1, Meaning: "A file or folder that was named is not there.",
		Causes:  []string{"a typing error", "a relative path, seen from another folder", "a link whose target was removed"},
		Do:      []string{"look at the path in the message; retort doctor finds broken links in the stores of models"},
		Example: "retort grade answers.jsonl\nretort: open answers.jsonl: no such file or directory [no-file]",
	},
	{
		Code: "permission", Status: 1, Meaning: "The system does not allow it: reading or writing a file, or listening at a port below 1024.",
		Causes:  []string{"a file of another user, often one that was made with sudo", "a disk that is mounted read-only"},
		Do:      []string{"ls -l of the path in the message shows whose it is", "retort doctor looks at the folders that Retort writes"},
		Example: "retort runs export warm -o /etc/warm.csv\nretort: open /etc/.warm.csv.123: permission denied [permission]",
	},
	{
		Code: "disk-full", Status: 1, Meaning: "The disk, or the quota on it, has no room for what was to be written. What was there before is still whole.",
		Causes:  []string{"models and checkpoints are large", "downloads that were broken off"},
		Do:      []string{"retort models prune removes what no model uses, retort models rm a model", "after making room the same command, or --resume, goes on where it was"},
		Example: "retort grpo countdown.yaml --run runs/a\nretort: runstore: runs/a: write metrics.jsonl: no space left on device [disk-full]",
	},
	{
		Code: "not-a-file", Status: 1, Meaning: "A folder stands where a file is wanted, or the other way round.",
		Causes:  []string{"a model's folder was given in place of a file within it", "an output of the same name as a folder"},
		Do:      []string{"name the file within the folder, or another output"},
		Example: "retort grade runs\nretort: read runs: is a directory [not-a-file]",
	},
	{
		Code: "bad-input", Status: 1, Meaning: "A line or a text of the input cannot be read as what it should be. Nothing after it was read.",
		Causes:  []string{"not JSON, or not one object per line", "a field that is missing or has another type", "a file of another kind"},
		Do:      []string{"the message has the line; retort COMMAND --help says what a line holds"},
		Example: "retort tokenize --vocab lab --jsonl\nretort: tokenize: line 1: no \"text\" [bad-input]",
	},
}

// modelEntries are of model files and what belongs to them.
var modelEntries = []Entry{
	{
		Code: "not-here", Status: 1, Meaning: "The model is known by its name, and it is not on this machine. Nothing but retort pull downloads models.",
		Causes:  []string{"it was never pulled", "it lies in another cache: HF_HOME, HF_HUB_CACHE or OLLAMA_MODELS differ from when it was fetched"},
		Do:      []string{"the command after \"try:\" fetches it", "retort models ls lists what is here, and where it looks"},
		Example: "retort show hf:org/tiny-GGUF\nretort: hub: hf:org/tiny-GGUF is not here; try: retort pull hf:org/tiny-GGUF [not-here]",
	},
	{
		Code: "bad-model", Status: 1, Meaning: "The file or folder is not a model that can be read: damaged, cut, of another kind, or with numbers that contradict each other. Such a file is refused as a whole, never read in part.",
		Causes:  []string{"a download or a copy that was broken off", "an architecture beside Qwen2, Qwen3 and Llama", "config.json or model.safetensors is missing in the folder", "a file of PyTorch (.bin, .pt), which is never opened"},
		Do:      []string{"retort doctor --deep compares the hashes of what was downloaded", "retort inspect FILE shows what can be read of it", "fetch it again: retort pull resumes and verifies"},
		Example: "retort inspect cut.gguf\nretort: weights: cut.gguf: the file has 1024 bytes, tensor output.weight ends at 65536 [bad-model]",
	},
	{
		Code: "memory", Status: 1, Meaning: "The model, its keys and values and its activations take more memory than is free. Nothing was loaded.",
		Causes:  []string{"a long context, or many samples at once", "other programs", "the limit of a container, which is below the machine's memory"},
		Do:      []string{"a smaller --context, --cache, --samples or --batch, or a model in fewer bits (retort quantize)", "retort show MODEL tells the sum; retort doctor tells what is free"},
		Example: "retort serve big.gguf --cache 64\nretort: big.gguf and its cache take 65.10 GiB, and there are 7.20; try: a smaller --cache, or a larger --memory [memory]",
	},
	{
		Code: "no-embedded-model", Status: 1, Meaning: "This build of the program holds no model, and none was named.",
		Causes:  []string{"a build from sources without the embedded files"},
		Do:      []string{"name a model: --model PATH"},
		Example: "retort run \"2+2?\"\nretort: this build has no embedded model; try: --model DIR, made by retort sft, grpo or lab [no-embedded-model]",
	},
	{
		Code: "bad-tokenizer", Status: 1, Meaning: "The tokenizer is missing, cannot be read, or is not the model's.",
		Causes:  []string{"a folder without tokenizer.json", "a tokenizer with more tokens than the model has", "--tokenizer names another model's"},
		Do:      []string{"put the model's own tokenizer.json beside it, or name it: --tokenizer FILE"},
		Example: "retort run --model folder \"2+2?\"\nretort: folder has no tokenizer.json; try: --tokenizer lab or bytes [bad-tokenizer]",
	},
	{
		Code: "no-template", Status: 1, Meaning: "The model has no chat template, so that it cannot be spoken to in messages.",
		Causes:  []string{"a base model, which only continues texts", "a conversion that left the template out"},
		Do:      []string{"retort generate continues a text as it stands", "put the model's chat_template.jinja beside it"},
		Example: "retort show base --template\nretort: base has no template of conversations [no-template]",
	},
	{
		Code: "bad-template", Status: 1, Meaning: "A chat template cannot be read, refuses the conversation, or goes past the bounds of the interpreter.",
		Causes:  []string{"roles in an order that the template does not allow", "a construct of Python that is no Jinja"},
		Do:      []string{"retort template --file FILE renders it alone, with the place of the fault"},
		Example: "retort template --file X.jinja '{\"messages\":[]}'\nretort: chat: template: line 3: ... [bad-template]",
	},
	{
		Code: "refused-request", Status: 1, Meaning: "The engine cannot do what is asked: most often prompt and reply together are longer than the model's positions. Nothing is ever cut silently.",
		Causes:  []string{"a long prompt", "--max-tokens beyond the model's positions"},
		Do:      []string{"a shorter prompt or fewer tokens; retort inspect MODEL tells its positions"},
		Example: "retort run --max-tokens 100000 \"2+2?\"\nretort: run: engine: request 0: ... [refused-request]",
	},
}
