package lab

import (
	"fmt"
	"strings"

	"github.com/retort-ml/retort/task"
)

// labTask is a row of the table of tasks: what of the settings is the task's own.
type labTask struct {
	title string
	open  func(s *Settings) (task.SearchTask, error)
	// change sets what differs from countdown-3, once the size is set.
	change func(s *Settings)
}

// defaultTask is the one that the gates are meant for.
const defaultTask = "countdown-3"

// TaskNames are the tasks that a lab can be about; the first is the default.
func TaskNames() []string { return []string{defaultTask, "countdown-4", "linear", "multiplication"} }

// tasks is the table of tasks.
var tasks = map[string]labTask{
	defaultTask: {"Countdown with three numbers", openCountdown, func(s *Settings) {}},
	// Attempts take 17 or 18 tokens with the word that turns back, the answer about 20.
	"countdown-4": {"Countdown with four numbers", openCountdown, func(s *Settings) {
		s.Task.Numbers = 4
		s.allow(8, 184)
	}},
	// Attempts take up to 15 tokens, the answer 7.
	"linear": {"Linear equations, solved by substitution", func(s *Settings) (task.SearchTask, error) { return task.NewLinear(&s.Linear) }, func(s *Settings) {
		s.allow(8, 136)
		s.ask(6000, 5000, 1000)
		if s.Size == Quick {
			s.Linear = task.LinearOptions{LargestFactor: 5, LargestTerm: 10, LargestSolution: 10}
			s.ask(400, 300, 60)
		}
	}},
	// Attempts take up to 28 tokens, the answer 8: half as many as elsewhere have room.
	"multiplication": {"Multiplication with a check", func(s *Settings) (task.SearchTask, error) { return task.NewMultiplication(&s.Multiplication) }, func(s *Settings) {
		s.allow(4, 124)
		s.ask(1200, 1200, 300)
		if s.Size == Quick {
			s.Multiplication = task.MultiplicationOptions{LargestFactor: 30, LargestProduct: 300, Spread: 5}
			s.ask(150, 150, 40)
		}
	}},
}

func openCountdown(s *Settings) (task.SearchTask, error) { return task.NewCountdown(&s.Task) }

// setTask makes the settings those of a task.
func (s *Settings) setTask(name string) error {
	if name == "" {
		name = defaultTask
	}
	row, ok := tasks[name]
	if !ok {
		return fmt.Errorf("lab: task %q, want one of %s", name, strings.Join(TaskNames(), ", "))
	}
	if name != defaultTask { // whose settings are stored as they were before there was another
		s.TaskName = name
	}
	row.change(s)
	return nil
}

func (s *Settings) taskName() string {
	if s.TaskName == "" {
		return defaultTask
	}
	return s.TaskName
}

func (s *Settings) newTask() (task.SearchTask, error) {
	row, ok := tasks[s.taskName()]
	if !ok {
		return nil, fmt.Errorf("lab: task %q, want one of %s", s.TaskName, strings.Join(TaskNames(), ", "))
	}
	return row.open(s)
}

func (s *Settings) attempts() int {
	if s.Attempts == 0 {
		return 8
	}
	return s.Attempts
}

// allow sets the most attempts and the most tokens of an answer, everywhere.
func (s *Settings) allow(attempts, tokens int) {
	s.Attempts, s.MaxNewTokens = attempts, tokens
	for _, o := range []*int{
		&s.Reinforce.Rollout.MaxNewTokens, &s.Control.Rollout.MaxNewTokens, &s.After.Rollout.MaxNewTokens, &s.OnPolicy.Rollout.MaxNewTokens,
	} {
		*o = tokens
	}
	for _, start := range []*ColdStart{&s.BaseStart, &s.StudentStart} {
		start.Data.MaxAttempts = attempts
	}
}

// ask sets the numbers of distinct problems, of which some tasks have fewer than a countdown.
func (s *Settings) ask(train, traces, held int) {
	s.Train, s.Traces.Problems, s.Evaluation.Problems = train, traces, held
}
