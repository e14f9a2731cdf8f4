//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shellRun runs a script in a real shell, in which retort is this program; the test is skipped where there is no such shell.
func shellRun(t *testing.T, shell, script string) string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("not run: this machine has no %s", shell)
	}
	dir := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "retort")); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, path)
	c.Dir = dir
	c.Env = append(os.Environ(), asProgram+"=retort", "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, "RETORT_CONFIG=")
	c.Stdin = strings.NewReader(script)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	return string(out)
}

func TestBashCompletes(t *testing.T) {
	emptyStores(t)
	out := shellRun(t, "bash", `
eval "$(retort completion bash)"
touch key.txt; mkdir -p runs
ask() { # the line as it is typed; bash divides it at = and : as well
    COMP_LINE=$1 COMP_POINT=${#1}
    local IFS=' '; local words=${1//=/ = }; words=${words//:/ : }
    COMP_WORDS=($words); [[ $1 == *" " || $1 == *= || $1 == *: ]] && [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )) COMPREPLY=()
    _retort retort "${COMP_WORDS[COMP_CWORD]}" ""
    echo "$1> ${COMPREPLY[*]}"
}
ask "retort ser"
ask "retort serve --kv="
ask "retort serve --kv=b"
ask "retort serve --key-file k"
ask "retort runs "
ask "retort pull r1-distill-llama-8"
complete -p retort
`)
	for _, want := range []string{
		"retort ser> serve\n", "retort serve --kv=> f32 bf16 f16 q8_0\n", "retort serve --kv=b> bf16\n", "retort serve --key-file k> key.txt\n",
		"retort runs > ls show compare export\n", "retort pull r1-distill-llama-8> r1-distill-llama-8b\n", "complete -F _retort retort\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestZshCompletes(t *testing.T) {
	out := shellRun(t, "zsh", `
autoload -Uz compinit; compinit -u -D
source <(retort completion zsh)
_describe() { print -r -- "$CURRENT> ${(j: :)reply}" }
_files() { print -r -- "files $*" }
ask() { words=("$@"); CURRENT=$#words; _retort }
ask retort ser
ask retort serve --kv ''
ask retort serve --key-file ''
ask retort sft --run ''
print -r -- "$_comps[retort]"
`)
	for _, want := range []string{"2> serve:Answer clients of OpenAI, Anthropic and Ollama over HTTP\n", "4> f32: bf16: f16: q8_0:\n", "files \n", "files -/\n", "_retort\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestFishCompletes(t *testing.T) {
	out := shellRun(t, "fish", `
retort completion fish | source
touch key.txt
complete -C 'retort ser'
complete -C 'retort serve --kv '
complete -C 'retort serve --kv=b'
complete -C 'retort serve --key-file k'
`)
	for _, want := range []string{"serve\tAnswer clients", "bf16", "--kv=bf16", "key.txt"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
