package explain

// networkEntries are of downloads, endpoints and the server.
var networkEntries = []Entry{
	{
		Code: "offline", Status: 1, Meaning: "A connection was needed and is forbidden.",
		Causes:  []string{"HF_HUB_OFFLINE is set", "--offline"},
		Do:      []string{"unset HF_HUB_OFFLINE, or copy the model here by other means and name its path"},
		Example: "HF_HUB_OFFLINE=1 retort bench-data gsm8k\nretort: gsm8k: hub: ...: no connection is made while offline is set [offline]",
	},
	{
		Code: "connection", Status: 1, Meaning: "The other side could not be reached, or the connection broke and trying again did not help.",
		Causes:  []string{"no network, or a proxy that HTTPS_PROXY does not name", "a wrong address or port", "a server that is not started"},
		Do:      []string{"the message has the address; curl it", "retort pull goes on where it was"},
		Example: "retort eval --task countdown-3 --endpoint http://127.0.0.1:9/v1 --model m\nretort: ... connection refused [connection]",
	},
	{
		Code: "download", Status: 1, Meaning: "The hub answered, and what is wanted cannot be had from it: refused, not there, or other bytes than announced. Nothing half is left under a file's name.",
		Causes:  []string{"a wrong name or revision", "a model whose terms have to be accepted, or a private one: HF_TOKEN", "the file at its home has changed"},
		Do:      []string{"look at the model's page; the same command goes on where it was"},
		Example: "retort pull hf:org/none\nretort: hub: hf:org/none: ...: 404 Not Found: no such model, revision or file [download]",
	},
	{
		Code: "endpoint", Status: 1, Meaning: "The server that was asked refused the request, and said so.",
		Causes:  []string{"a wrong key or model's name", "a field that it does not know: --omit leaves it out", "limits of requests or tokens per minute"},
		Do:      []string{"the message holds the server's own words"},
		Example: "retort eval --task countdown-3 --endpoint http://127.0.0.1:8000/v1 --model m\nretort: openai: the server answers 404 ... [endpoint]",
	},
	{
		Code: "address-in-use", Status: 1, Meaning: "Another program listens at the address already.",
		Causes:  []string{"a server of Retort that still runs, in another window", "another program that likes port 8080"},
		Do:      []string{"--listen 127.0.0.1:0 takes any free port", "retort doctor says whether it is a server of Retort"},
		Example: "retort serve\nretort: listen tcp 127.0.0.1:8080: bind: address already in use; try: --listen 127.0.0.1:0 [address-in-use]",
	},
	{
		Code: "key-needed", Status: 1, Meaning: "The server would be reachable from other machines without a key. It never is.",
		Causes:  []string{"--listen with another address than loopback, and no --key-file"},
		Do:      []string{"head -c 24 /dev/urandom | base64 > key; chmod 600 key; retort serve --key-file key --listen ...", "or stay on loopback"},
		Example: "retort serve --listen 0.0.0.0:8080\nretort: server: [::]:8080 can be reached from other machines, want a key; try: ... [key-needed]",
	},
	{
		Code: "no-key", Status: 1, Meaning: "A key was to be read from a variable or a file, and none is there.",
		Causes:  []string{"a variable that was set and not exported", "an empty file"},
		Do:      []string{"export NAME=KEY, or write the key into the file"},
		Example: "retort serve --key-variable KEY\nretort: --key-variable: KEY is not set [no-key]",
	},
	{
		Code: "timeout", Status: 1, Meaning: "Something took longer than it may.",
		Causes:  []string{"a slow or silent server", "a machine under heavy load"},
		Do:      []string{"try again; retort doctor says whether others use the processor"},
		Example: "retort pull hf:org/large\nretort: hub: ...: context deadline exceeded [timeout]",
	},
}

// otherEntries are of everything else.
var otherEntries = []Entry{
	{
		Code: Failed, Status: 1, Meaning: "Something failed for which there is no code of its own. The message says what.",
		Causes:  []string{"as the message says"},
		Do:      []string{"retort doctor looks at the machine and the installation"},
		Example: "retort models rm hf:org/tiny\nretort: not removed",
	},
	{
		Code: Stopped, Status: 130, Meaning: "The work was stopped by Ctrl-C or SIGTERM, after a checkpoint where there is something to keep.",
		Causes:  []string{"Ctrl-C", "the end of a session or a container"},
		Do:      []string{"--resume RUN goes on to the same bits; pull and lab go on by themselves"},
		Example: "retort lab\nretort: stopped",
	},
	{
		Code: "no-sandbox", Status: 1, Meaning: "Programs cannot be run safely on this machine, so that they are not run at all.",
		Causes:  []string{"another system than Linux", "user namespaces are switched off, often within containers", "no python3"},
		Do:      []string{"retort grade --check-sandbox names the layer that is missing"},
		Example: "retort grade --check-sandbox\nretort: programs cannot be judged on this machine: sandbox unavailable: ... [no-sandbox]",
	},
	{
		Code: "faults-found", Status: 1, Meaning: "retort doctor found at least one fault. Its lines say which, and what to do.",
		Causes:  []string{"as its lines say"},
		Do:      []string{"mend them, and run retort doctor again; warnings alone do not fail"},
		Example: "retort doctor\nretort: 1 fault: downloads [faults-found]",
	},
	{
		Code: "nobody-to-ask", Status: 2, Meaning: "The command would ask before it removes something, and standard error is no terminal.",
		Causes:  []string{"a script, or --json"},
		Do:      []string{"--yes says that it may"},
		Example: "retort models prune </dev/null 2>log\nretort: nobody is here to ask: remove 1 files that no model uses, 4 MiB?; try: --yes [nobody-to-ask]",
	},
}
