package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// readmeCommand finds a command line of this program in a line of a text: after a prompt, after variables, or after a pipe.
var readmeCommand = regexp.MustCompile(`^(?:\$ |.*\| )?(?:[A-Z_]+=\S* )*(?:go run \./cmd/retort|retort) (.*)$`)

// readmeSpan is a command line within a sentence.
var readmeSpan = regexp.MustCompile("`(?:go run \\./cmd/retort|retort) ([^`]+)`")

// readmeLine is a command line that a text shows.
type readmeLine struct {
	words  []string
	isSpan bool // within a sentence, where arguments may be left out
	line   int
}

// readmeLines are the command lines of a Markdown text.
func readmeLines(text string) (all []readmeLine) {
	isFenced, language, before := false, "", ""
	for i, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, "```"); ok {
			isFenced, language, before = !isFenced, rest, ""
			continue
		}
		if !isFenced {
			for _, m := range readmeSpan.FindAllStringSubmatch(line, -1) {
				all = append(all, readmeLine{commandOf(m[1]), true, i + 1})
			}
			continue
		}
		if language == "yaml" || language == "go" {
			continue
		}
		if rest, ok := strings.CutSuffix(line, `\`); ok {
			before += rest
			continue
		}
		line, before = before+line, ""
		if m := readmeCommand.FindStringSubmatch(line); m != nil {
			all = append(all, readmeLine{commandOf(m[1]), false, i + 1})
		}
	}
	return all
}

// commandOf divides a command line into its words, up to a comment, a pipe or a redirection.
func commandOf(line string) []string {
	words := splitLine("retort " + line)
	for i, word := range words {
		if word == "#" || word == "|" || word == ">" || word == ";" || word == "&&" {
			return words[:i]
		}
	}
	return words
}

// TestReadmeParses: every command line that the texts show is one that the program reads: known commands, known flags, values that can be.
func TestReadmeParses(t *testing.T) {
	for name, least := range map[string]int{"README.md": 45, "docs/walk.md": 3} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		lines := readmeLines(string(text))
		if len(lines) < least {
			t.Errorf("%s: only %d command lines were found", name, len(lines))
		}
		for _, l := range lines {
			p, err := newInvocation(t.Context(), streams{out: &strings.Builder{}, err: &strings.Builder{}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.parser.Parse(l.words)
			parse, _ := err.(*kong.ParseError)
			if err != nil && !(l.isSpan && parse != nil && parseCode(parse) == "missing-argument") {
				t.Errorf("%s:%d: retort %s: %v", name, l.line, strings.Join(l.words, " "), err)
			}
		}
	}
}

func TestReadmeLines(t *testing.T) {
	const text = "Say `retort run` or `retort lab --quick`, not `retort`.\n```sh\ngo run ./cmd/retort eval --task x   # why\n$ A=1 retort show \"a b\"\nretort: an error\n" +
		"$ echo '{}' | retort score m \\\n    --jsonl | head\n```\n```yaml\nretort no\n```\n"
	got := readmeLines(text)
	want := [][]string{{"run"}, {"lab", "--quick"}, {"eval", "--task", "x"}, {"show", "a b"}, {"score", "m", "--jsonl"}}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if strings.Join(got[i].words, "|") != strings.Join(want[i], "|") || got[i].isSpan != (i < 2) {
			t.Errorf("got %+v, want %q", got[i], want[i])
		}
	}
}
