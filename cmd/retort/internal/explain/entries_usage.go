package explain

// usageEntries are of command lines, recipes and settings.
var usageEntries = []Entry{
	{
		Code: Usage, Status: 2, Meaning: "The command line asks for something that does not exist or does not go together. The message says what.",
		Causes:  []string{"two flags that exclude each other", "a flag that needs another one"},
		Do:      []string{"follow the message; retort COMMAND --help lists the flags"},
		Example: "retort lab --quick --full\nretort: got --quick and --full, want one of them; try: retort lab --help",
	},
	{
		Code: "unknown-command", Status: 2, Meaning: "There is no command of that name.",
		Causes:  []string{"a typing error", "a flag's value that was taken for a command, because the flag wants none"},
		Do:      []string{"retort --help lists the commands", "retort completion SHELL lets the shell complete them"},
		Example: "retort versoin\nretort: unexpected argument versoin, did you mean \"version\"?; try: retort --help [unknown-command]",
	},
	{
		Code: "unknown-flag", Status: 2, Meaning: "The command has no flag of that name.",
		Causes:  []string{"a typing error", "a flag of another command", "a text that begins with a dash: put -- before it"},
		Do:      []string{"retort COMMAND --help lists its flags"},
		Example: "retort version --jsno\nretort: unknown flag --jsno, did you mean \"--json\"?; try: retort version --help [unknown-flag]",
	},
	{
		Code: "missing-argument", Status: 2, Meaning: "The command wants an argument, a flag or a command that is not there.",
		Causes:  []string{"a value was forgotten", "a variable of the shell was empty"},
		Do:      []string{"retort COMMAND --help shows what it wants; what stands in <> is needed, what stands in [] is not"},
		Example: "retort quantize tiny\nretort: missing flags: --type=NAME; try: retort quantize --help [missing-argument]",
	},
	{
		Code: "extra-argument", Status: 2, Meaning: "The command wants fewer arguments than were given.",
		Causes:  []string{"a name with a space that is not in quotes", "a pattern of the shell that matched several files"},
		Do:      []string{"put names with spaces in quotes"},
		Example: "retort version now\nretort: unexpected argument now; try: retort version --help [extra-argument]",
	},
	{
		Code: "bad-value", Status: 2, Meaning: "A flag or an argument is there, and its value is not one of those that it can have.",
		Causes:  []string{"a word where a number is wanted, or a number out of its range", "a name that is not in the list"},
		Do:      []string{"the message says what was given and what is wanted"},
		Example: "retort serve --slots 0\nretort: --slots: got 0, want at least 1 [bad-value]",
	},
	{
		Code: "bad-recipe", Status: 2, Meaning: "A recipe, or a --set on top of it, has a key that is not known or a value that cannot be.",
		Causes:  []string{"a typing error: keys that are not known are never ignored", "a number out of its range", "a key of another command's recipe"},
		Do:      []string{"the message has the line and the nearest key", "--print-recipe prints every key with its value"},
		Example: "retort sft --set stpes=3\nretort: --set: unknown key \"stpes\"; did you mean \"steps\"? [bad-recipe]",
	},
	{
		Code: "bad-config", Status: 2, Meaning: "The file of settings cannot be read, or has a key that is not known or a value that cannot be.",
		Causes:  []string{"a typing error: keys that are not known are never ignored", "a flag in the section of a command that does not have it", "--config or RETORT_CONFIG names a file that is not there"},
		Do:      []string{"the message has the line and the nearest key", "retort config COMMAND shows every setting and where its value comes from", "--config= (with nothing behind it) does without the file"},
		Example: "retort serve\nretort: config.yaml:3: unknown key \"serve.slot\"; did you mean \"serve.slots\"? [bad-config]",
	},
	{
		Code: "bad-variable", Status: 2, Meaning: "A variable of the environment sets a flag to a value that the flag cannot have. RETORT_SLOTS sets --slots, in every command that has it.",
		Causes:  []string{"a variable that was meant for another program", "a value for a flag of the same name in another command"},
		Do:      []string{"unset it, or give the flag itself: flags come before variables", "retort config COMMAND shows which variables are in force"},
		Example: "RETORT_SLOTS=many retort serve\nretort: RETORT_SLOTS: expected a valid 64 bit int but got \"many\" [bad-variable]",
	},
	{
		Code: "unknown-model", Status: 2, Meaning: "The text is neither a file or folder nor the name of a model.",
		Causes:  []string{"a typing error in a path or a name", "a model of the hub without hf: before its name", "DeepSeek-R1 itself, which no laptop holds: its distils have names of their own"},
		Do:      []string{"retort models ls lists what is here", "hf:ORG/NAME names a model of the hub"},
		Example: "retort show r1-distil-qwen-7b\nretort: hub: \"r1-distil-qwen-7b\" is neither a file or a folder nor the name of a model; try: r1-distill-qwen-7b [unknown-model]",
	},
	{
		Code: "unknown-code", Status: 2, Meaning: "There is no code of that name to explain.",
		Causes:  []string{"a typing error", "a code of a newer version"},
		Do:      []string{"retort explain lists the codes"},
		Example: "retort explain disk-ful\nretort: no code \"disk-ful\"; try: disk-full [unknown-code]",
	},
}
