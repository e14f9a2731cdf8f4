package main

import (
	"strings"

	"github.com/retort-ml/retort/cmd/retort/internal/explain"
	"github.com/retort-ml/retort/cmd/retort/internal/recipe"
)

// explainCommand says what the code of an error means.
type explainCommand struct {
	Code string `arg:"" optional:"" name:"code" complete:"code" help:"The code behind an error's line, such as disk-full; without one, all are listed."`
}

// Run prints one entry, or a line for each.
func (c *explainCommand) Run(out *output) error {
	if c.Code == "" {
		return listCodes(out)
	}
	code := strings.Trim(c.Code, "[]")
	e, ok := explain.Find(code)
	if !ok {
		var known []string
		for _, e := range explain.Entries() {
			known = append(known, e.Code)
		}
		try := recipe.Nearest(code, known)
		if try == "" {
			try = "retort explain"
		}
		return usage(explain.Errorf("unknown-code", "no code %.60q", code), try)
	}
	out.result("%s (exit status %d)\n\n%s\n\nUsual causes:", e.Code, e.Status, e.Meaning)
	for _, cause := range e.Causes {
		out.result("- %s", cause)
	}
	out.result("\nWhat to do:")
	for _, step := range e.Do {
		out.result("- %s", step)
	}
	command, printed, _ := strings.Cut(e.Example, "\n")
	out.result("\nFor example:\n\n    $ %s\n    %s", command, printed)
	return out.event("code", e)
}

func listCodes(out *output) error {
	rows := [][]string{{"CODE", "STATUS", "MEANING"}}
	for _, e := range explain.Entries() {
		if err := out.event("code", e); err != nil {
			return err
		}
		meaning, _, _ := strings.Cut(e.Meaning, ". ")
		rows = append(rows, []string{e.Code, number(float64(e.Status)), strings.TrimSuffix(meaning, ".")})
	}
	table(out, rows)
	return nil
}
