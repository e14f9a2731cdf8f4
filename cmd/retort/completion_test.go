package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// completed asks as the script of fish does.
func completed(t *testing.T, words ...string) (found []string, directive string) {
	t.Helper()
	var out bytes.Buffer
	if status := run(t.Context(), append([]string{completeCommand, "fish"}, words...), streams{nil, &out, &out}); status != exitDone {
		t.Fatalf("%q: status %d", words, status)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(line, "\t")
		found = append(found, word)
	}
	return found, lines[len(lines)-1]
}

func TestCompletion(t *testing.T) {
	emptyStores(t)
	dir := t.TempDir()
	t.Chdir(dir)
	makeRun(t, "runs", "warm", 8, `{}`)
	makeRun(t, "runs", "bad name; rm", 8, `{}`) // is never offered to a shell
	for _, c := range []struct {
		words     []string
		want      []string // all of them, in any order, or the first ones with "..." behind
		directive string
	}{
		{[]string{"se"}, []string{"serve"}, shellNothing},
		{[]string{"runs", ""}, []string{"ls", "show", "compare", "export"}, shellNothing},
		{[]string{"runs", "show", ""}, []string{"warm"}, shellFolders},
		{[]string{"runs", "show", "warm", ""}, nil, shellNothing},
		{[]string{"runs", "--root", "x", "s"}, []string{"show"}, shellNothing},
		{[]string{"serve", "--kv", ""}, []string{"f32", "bf16", "f16", "q8_0"}, shellNothing},
		{[]string{"serve", "--kv=f"}, []string{"--kv=f32", "--kv=f16"}, shellNothing},
		{[]string{"serve", "--k"}, []string{"--kv", "--key-variable", "--key-file"}, shellNothing},
		{[]string{"serve", "--strict", "--slo"}, []string{"--slots"}, shellNothing},
		{[]string{"serve", "--key-file", ""}, nil, shellFiles},
		{[]string{"serve", "--no-such", "--kv", "b"}, []string{"bf16"}, shellNothing},
		{[]string{"serve", "--no-such=x"}, nil, shellNothing},
		{[]string{"eval", "--task", "l"}, []string{"linear"}, shellNothing},
		{[]string{"eval", "run", "--bench", "math5"}, []string{"math500"}, shellNothing},
		{[]string{"eval", "re"}, []string{"report", "regrade"}, shellNothing},
		{[]string{"quantize", "--type", "Q4_K_"}, []string{"Q4_K_S", "Q4_K_M"}, shellNothing},
		{[]string{"synth", "--shape", "r1-distill-qwen-1"}, []string{"r1-distill-qwen-1.5b", "r1-distill-qwen-14b"}, shellNothing},
		{[]string{"pull", "r1-distill-llama"}, []string{"r1-distill-llama-8b", "r1-distill-llama-70b"}, shellNothing},
		{[]string{"run", "--model", "r1-distill-llama-8"}, []string{"r1-distill-llama-8b"}, shellFiles},
		{[]string{"run", "--", "--k"}, nil, shellFiles},
		{[]string{"run", "--think", "o"}, []string{"on", "off"}, shellNothing},
		{[]string{"-"}, []string{"--help", "--json", "--config"}, shellNothing},
		{[]string{"completion", ""}, []string{"bash", "zsh", "fish", "powershell"}, shellNothing},
		{[]string{"explain", "disk"}, []string{"disk-full"}, shellNothing},
		{[]string{"config", "dis"}, []string{"distill"}, shellNothing},
		{[]string{"sft", "--run", ""}, nil, shellFolders},
		{[]string{"version", ""}, nil, shellNothing},
		{[]string{"no-such-command", "x"}, nil, shellNothing},
	} {
		got, directive := completed(t, c.words...)
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(c.want))) || directive != c.directive {
			t.Errorf("%q: got %q %s, want %q %s", c.words, got, directive, c.want, c.directive)
		}
	}
}

// TestCompletionKnowsEveryFlag: every flag of every command is offered, and none of an enumerated kind and no file, folder, model or run is
// left without values.
func TestCompletionKnowsEveryFlag(t *testing.T) {
	emptyStores(t)
	p, err := newInvocation(t.Context(), streams{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(words ...string) (found []string, directive string) {
		all, directive := (&commandWords{invocation: p, node: p.parser.Model.Node}).complete(words)
		return wordsOf(all), directive
	}
	for name, node := range leaves(t) {
		flags, _ := ask(append(strings.Fields(name), "--")...)
		for _, flag := range node.Flags {
			if !flag.Hidden && !slices.Contains(flags, "--"+flag.Name) {
				t.Errorf("%s: --%s is not offered", name, flag.Name)
			}
			got, directive := ask(append(strings.Fields(name), "--"+flag.Name+"=")...)
			_, isPlace := valueKinds[flag.PlaceHolder]
			isKnown := flag.Enum != "" || flag.Tag.Get("complete") != "" && flag.Tag.Get("complete") != "stored-model"
			if isPlace && directive == shellNothing || isKnown && len(got) == 0 && directive == shellNothing {
				t.Errorf("%s --%s: nothing is offered", name, flag.Name)
			}
		}
	}
}

func TestSplitLine(t *testing.T) {
	for line, want := range map[string][]string{
		"retort ":                           {""},
		"retort serve --k":                  {"serve", "--k"},
		`~/bin/retort run "a b" 'c"d' e\ f`: {"run", "a b", `c"d`, "e f"},
		"retort run hf:org/x --kv=":         {"run", "hf:org/x", "--kv="},
		"retort run 'un":                    {"run", "un"},
		"retort":                            {},
	} {
		if got := splitLine(line); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// TestPowerShellWords: what PowerShell reads as more than text is quoted, and the script takes each line apart at one tab.
func TestPowerShellWords(t *testing.T) {
	for word, want := range map[string]string{"serve": "serve\thelp", "--kv=bf16": "--kv=bf16\thelp", "a@nothink": "a@nothink\thelp", "a,b": "'a,b'\thelp", "@x": "'@x'\thelp", "~/x": "~/x\thelp", "C:/x": "C:/x\thelp"} {
		if got := shellWord("powershell", candidate{word, "help"}, ""); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
		if !plainWord.MatchString(word) {
			t.Errorf("%s is not offered", word)
		}
	}
	for _, word := range []string{"a b", "a'b", "$(x)", "`x`", "a;b", "a\"b", "a|b", "a&b", "{x}", "x\ny", "\u2019", "#x"} {
		if plainWord.MatchString(word) {
			t.Errorf("%q is offered, which a shell reads as more than text", word)
		}
	}
	script := completionScripts["powershell"]
	if !strings.Contains(script, "-split \"`t\", 2") || strings.ContainsAny(script, "\t\u2018\u2019\u201c\u201d") {
		t.Errorf("the script does not take lines apart: %s", script)
	}
	// Brackets and quotes are balanced; there is no comment but the first line.
	var open []rune
	quote := rune(0)
	_, code, _ := strings.Cut(script, "\n")
	for _, r := range code {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case strings.ContainsRune("([{", r):
			open = append(open, r)
		case strings.ContainsRune(")]}", r):
			if len(open) == 0 || strings.IndexRune("([{", open[len(open)-1]) != strings.IndexRune(")]}", r) {
				t.Fatalf("%c closes nothing in %s", r, script)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || quote != 0 {
		t.Errorf("%q and %q stay open", open, quote)
	}
	// The answer to an empty last word, which PowerShell drops.
	for words, want := range map[string]string{"powershell 2 runs": "export", "powershell 1 ser": "serve"} {
		p, err := newInvocation(t.Context(), streams{})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if status := p.complete(strings.Fields(words), &out); status != exitDone || !strings.Contains(out.String(), want+"\t") {
			t.Errorf("%s: %d %q, want %s", words, status, out.String(), want)
		}
	}
}
