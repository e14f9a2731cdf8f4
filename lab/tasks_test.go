package lab

import (
	"strings"
	"testing"

	"github.com/retort-ml/retort/task"
	"github.com/retort-ml/retort/tokenizer"
)

// TestEveryTaskFits: each task of the table, at each size, has as many problems as its settings ask for, and its longest
// search fits in the tokens of an answer, which leave room for the prompt.
func TestEveryTaskFits(t *testing.T) {
	k := tokenizer.Lab()
	end, _ := k.ID(tokenizer.End)
	for _, name := range TaskNames() {
		for _, size := range []Size{Quick, Standard} {
			s, err := NewSettings(name, size, 1, k.Size(), end)
			if err != nil {
				t.Fatal(err)
			}
			asked, err := s.newTask()
			if err != nil {
				t.Fatal(err)
			}
			if asked.Name() != name || s.taskName() != name {
				t.Errorf("%s opens %s", name, asked.Name())
			}
			if _, err := asked.Problems(task.Train, 1, max(s.Train, s.Traces.Problems)); err != nil {
				t.Error(err)
			}
			if _, err := asked.Problems(task.HeldOut, 1, s.Evaluation.Problems); err != nil {
				t.Error(err)
			}
			data := s.BaseStart.Data
			data.Mixture = task.Mixture{Long: 1}
			data.LongAttempts, data.LongSolve = s.attempts(), -1
			longest, prompt := 0, 0
			start, err := task.NewColdStart(asked, &data)
			if err != nil {
				t.Fatal(err)
			}
			for i := range uint64(300) {
				e := start.Example(i)
				ids, _ := e.Tokens(k)
				prompt = max(prompt, len(k.Encode(e.Prompt)))
				longest = max(longest, len(ids)-len(k.Encode(e.Prompt)))
			}
			t.Logf("%s %q: prompts of up to %d tokens, %d attempts without success of up to %d", name, size, prompt, s.attempts(), longest)
			if longest > s.MaxNewTokens || s.Reinforce.Rollout.MaxNewTokens != s.MaxNewTokens || prompt+s.MaxNewTokens > s.Base.MaxPositions {
				t.Errorf("%s: %d tokens of at most %d", name, longest, s.MaxNewTokens)
			}
		}
	}
	if _, err := NewSettings("sudoku", Quick, 1, k.Size(), end); err == nil || !strings.Contains(err.Error(), "countdown-3") {
		t.Errorf("sudoku: %v", err)
	}
}
