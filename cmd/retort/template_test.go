package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTemplate(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.jinja")
	source := "{{ bos_token }}{{ messages[0].content }}{% if add_generation_prompt %}<a>{% endif %}{{ strftime_now('%d %b %Y') if date }}{{ x.y if bad }}"
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	config := `{"chat_template":"{{ bos_token }}!","bos_token":"<b>"}`
	if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := `{"input":{"messages":[{"content":"a<b"}],"add_generation_prompt":true},"bos_token":"<s>","eos_token":""}
{"input":{"messages":[{"content":"é"}],"date":1}}

{"input":{"messages":[{"content":""}],"bad":1}}
{"no input":1}
not JSON
`
	for _, c := range []struct {
		arguments []string
		in        string
		status    int
		out, err  string
	}{
		{[]string{"--file", file, `{"messages":[{"content":"hi"}]}`}, "", exitDone, "hi", ""},
		{[]string{"--file", file}, `{"messages":[{"content":"in"}]}`, exitDone, "in", ""},
		{[]string{"--file", file, "--json", `{"messages":[{"content":"hi"}]}`}, "", exitDone, `{"event":"prompt","output":"hi"}` + "\n", ""},
		{[]string{"--file", dir, "{}"}, "", exitDone, "<b>!", ""},
		{[]string{"--file", filepath.Join(dir, "tokenizer_config.json"), "{}"}, "", exitDone, "<b>!", ""},
		{[]string{"--file", file, "--jsonl", "--now", "2024-07-26"}, lines, exitDone, `{"output":"<s>a<b<a>"}
{"output":"é26 Jul 2024"}
{"error":"chat: template: UndefinedError: 'x' is undefined (line 1)"}
{"error":"template: line: no \"input\""}
{"error":"template: line: invalid character 'o' in literal null (expecting 'u')"}
`, ""},
		{[]string{"--file", file, "{}"}, "", exitFailed, "", "UndefinedError"},
		{[]string{"--file", file, "[]"}, "", exitUsage, "", "want a JSON object"},
		{[]string{"--file", file, "--jsonl", "{}"}, "", exitUsage, "", "takes no argument"},
		{[]string{"--file", file, "--now", "soon", "{}"}, "", exitUsage, "", "want a date"},
		{[]string{"--file", filepath.Join(dir, "none"), "{}"}, "", exitFailed, "", "none"},
		{nil, "", exitUsage, "", "--file"},
	} {
		var out, stderr bytes.Buffer
		status := run(t.Context(), append([]string{"template"}, c.arguments...), streams{strings.NewReader(c.in), &out, &stderr})
		if status != c.status || out.String() != c.out && c.status == exitDone || !strings.Contains(stderr.String(), c.err) {
			t.Errorf("%q: status %d, want %d; got %q, want %q; err %q, want %q", c.arguments, status, c.status, out.String(), c.out, stderr.String(), c.err)
		}
	}
}
