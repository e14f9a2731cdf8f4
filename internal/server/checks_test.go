package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// checks are what a server of reasoning models is expected to do, by the numbers of the list that it was built from, and the tests that hold each of
// them: functions of this package, or after a path those of another one, or the names of checks in clienttest.
var checks = []struct {
	number int
	what   string
	tests  string
}{
	{1, "one command from a file to a chat that thinks; the first token within two seconds; --json has reasoning, content and usage", "../../cmd/retort: TestFirstToken, TestRunEmbedded"},
	{2, "thought and answer are told apart at every byte of 42 recorded replies, streamed or not, under both names", "TestRecordedStreams, TestChat; clienttest: openai: stream says the same; ai-sdk: reads the same thought and answer, streamed and not"},
	{3, "no answer is lost to the thought, or no_answer says so; the forced close is the token; reasoning_tokens is exact", "TestSweep, TestBudgets, TestReserve"},
	{4, "a prompt that is too long is a 400 with both counts, asked once; nothing of a prompt is left out", "TestOverflow, TestNeedle; clienttest: openai: a long prompt is refused once"},
	{5, "when the client goes, the slot is free within 250 ms, in the prompt and in the reply; 1,000 leave nothing behind", "TestGone, TestThousandAborts; clienttest: curl, killed; openai: an aborted stream; ollama: an aborted stream"},
	{6, "long silences are survived by Node, Python and curl", "TestPatience, TestSignsOfLife, TestLongSilence"},
	{7, "each attack of a foreign page on each route ends before a handler; beyond loopback a key is wanted", "TestAttacks, TestKeys, TestAddress; ../../cmd/retort: TestServeRefuses"},
	{8, "no request makes a handler fail", "FuzzRequests, FuzzDecoders"},
	{9, "each field of the specification is done or refused by name; replies follow the contract and the published types; the official client", "TestFields, TestContractNames, TestContractReplies; clienttest: openai: fields of a chat; replies are of the published types; openai: chat; openai: logprobs, stop, logit_bias; openai: tools; openai: a schema after the thought; openai: models"},
	{10, "of 64 replies the prompt is evaluated and held once; seeds are told; each is the same alone and beside other work", "TestShared, TestSamples; clienttest: openai: n of 64, each again from its seed"},
	{11, "the model card's sampling where the client has none; a circle of 32 tokens or more is closed when it has come again twice, a shorter one after 64 tokens of it; greedy thoughts are warned of", "TestDefaults, TestReserve, TestLoopCloses; ../../engine: TestLoopDetection, TestRestating, TestLoopsOfReplies"},
	{19, "200 clients on 4 slots, in order within a key, none starves; 429 and 503 with Retry-After; places in the stream; health", "TestManyClients, TestQueue, TestPlaces, TestLoading"},
	{20, "the metrics parse, and count what usage says", "TestMetrics; clienttest: what is counted is what usage said"},
	{21, "hours of mixed load leave memory, goroutines and the time to the first token where they were", "TestSoak, TestUnloading"},
	{23, "nothing is called but this machine, and nothing else is needed", "TestSilent; ../../.ci/run: run_offline"},
	{24, "Ollama's and Anthropic's clients; budget_tokens is kept", "TestMessages, TestOllama; clienttest: anthropic: message, and budget_tokens kept; anthropic: count_tokens, and its error; ollama: list, show, ps, version; ollama: chat with thinking, streamed and not"},
}

// TestChecks: each check names tests that are there.
func TestChecks(t *testing.T) {
	read := func(paths ...string) string {
		all := ""
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all += string(text)
		}
		return all
	}
	sources := func(dir string) string {
		paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		return read(paths...)
	}
	named := regexp.MustCompile(`^(?:Test|Fuzz)\w+$`)
	for _, c := range checks {
		where, client := sources("."), false
		for _, name := range strings.Split(c.tests, "; ") {
			if rest, ok := strings.CutPrefix(name, "clienttest: "); ok {
				where, client, name = read("clienttest/clients.mjs")+read("clienttest/spec.mjs"), true, rest
			}
			if place, rest, ok := strings.Cut(name, ": "); ok && strings.HasPrefix(place, "../../") {
				where, client, name = "", strings.HasSuffix(place, "run"), rest
				if client {
					where = strings.ReplaceAll(read(place), "\n"+rest+"()", "await check('"+rest+"',")
				} else {
					where = sources(place)
				}
			}
			list := []string{name}
			if !client {
				list = strings.Split(name, ", ")
			}
			for _, name := range list {
				if client && strings.Contains(where, "await check('"+name+"',") || !client && named.MatchString(name) && strings.Contains(where, "func "+name+"(") {
					continue
				}
				t.Errorf("check %d: there is no %q", c.number, name)
			}
		}
	}
}
