package server

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// span is the range of a number, both ends included.
type span struct {
	min, max float64
	whole    bool
}

// The most of some things that one request may ask for.
const (
	maxBody     = 8 << 20 // bytes
	maxBodies   = 1 << 29 // bytes of all requests under way together
	maxDepth    = 64      // of nested JSON
	maxParts    = 1 << 20 // of its lists and objects together
	maxChoices  = 256
	maxMessages = 4096
	maxTools    = 128
	maxStops    = 16
	maxStopText = 1024 // bytes
	maxTokens   = 1 << 24

	// maxAlternatives bounds n times top_logprobs: each is kept for each token until the reply ends.
	maxAlternatives = 1280
)

// ranges is the one table of the numbers of requests, by the path of the field; a * stands for any name, [] for any place of a list.
var ranges = map[string]span{
	"n":                     {1, maxChoices, true},
	"best_of":               {1, maxChoices, true},
	"max_tokens":            {1, maxTokens, true},
	"max_completion_tokens": {1, maxTokens, true},
	"temperature":           {0, 2, false},
	"top_p":                 {0, 1, false},
	"top_k":                 {-1, 1 << 20, true},
	"min_p":                 {0, 1, false},
	"frequency_penalty":     {-2, 2, false},
	"presence_penalty":      {-2, 2, false},
	"repetition_penalty":    {0.01, 100, false},
	"repeat_penalty":        {0.01, 100, false},
	"seed":                  {math.MinInt64, math.MaxInt64, true},
	"logprobs":              {0, 20, true},
	"top_logprobs":          {0, 20, true},
	"logit_bias.*":          {-100, 100, false},
	"answer_reserve":        {0, maxTokens, true},
	"thinking_budget":       {-1, maxTokens, true},
	"thinking_token_budget": {-1, maxTokens, true},
	"reasoning_budget":      {-1, maxTokens, true},
	"thinking.budget_tokens": {
		0, maxTokens, true},
	"reasoning.max_tokens":      {0, maxTokens, true},
	"tokens[]":                  {0, math.MaxInt32, true},
	"continue_token_ids[]":      {0, math.MaxInt32, true},
	"prompt[]":                  {0, math.MaxInt32, true},
	"prompt[][]":                {0, math.MaxInt32, true},
	"choice":                    {0, maxChoices - 1, true},
	"options.num_predict":       {-2, maxTokens, true},
	"options.num_ctx":           {1, maxTokens, true},
	"options.num_keep":          {-1, maxTokens, true},
	"options.seed":              {math.MinInt64, math.MaxInt64, true},
	"options.temperature":       {0, 2, false},
	"options.top_k":             {-1, 1 << 20, true},
	"options.top_p":             {0, 1, false},
	"options.min_p":             {0, 1, false},
	"options.repeat_penalty":    {0.01, 100, false},
	"options.presence_penalty":  {-2, 2, false},
	"options.frequency_penalty": {-2, 2, false},
	"options.repeat_last_n":     {-1, maxTokens, true},
	"keep_alive":                {-1e9, 1e9, false},
}

// free lists the fields whose numbers are the client's own: schemas and what templates are given.
var free = map[string]bool{
	"tools": true, "response_format": true, "format": true, "chat_template_kwargs": true, "messages": true, "system": true, "metadata": true,
	"tool_choice": true, "grammar": true, "functions": true,
}

// checkNumbers refuses a number of a field that is out of its range, or has none. path is that of the value.
func checkNumbers(path string, raw json.RawMessage) *fault {
	if free[path] || len(raw) == 0 {
		return nil
	}
	switch c := raw[0]; {
	case c == '{':
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return bad(path, "cannot be read")
		}
		for name, member := range members {
			inner := path + "." + name
			if path == "logit_bias" {
				inner = path + ".*"
			}
			if f := checkNumbers(inner, member); f != nil {
				return f
			}
		}
	case c == '[':
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return bad(path, "cannot be read")
		}
		for _, item := range items {
			if f := checkNumbers(path+"[]", item); f != nil {
				return f
			}
		}
	case c == '-' || c >= '0' && c <= '9':
		return checkNumber(path, string(raw))
	}
	return nil
}

// checkNumber looks one number up.
func checkNumber(path, text string) *fault {
	r, ok := ranges[path]
	if !ok {
		return nil // its type is wrong, or it is foreign
	}
	field, _, _ := strings.Cut(path, "[")
	field = strings.TrimSuffix(field, ".*")
	x, err := strconv.ParseFloat(text, 64)
	if r.whole && err == nil {
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return bad(field, "got %.40s, want a whole number from %.0f to %.0f", text, r.min, r.max)
		}
	}
	if err != nil || x < r.min || x > r.max {
		return bad(field, "got %.40s, want %s to %s", text, number(r.min), number(r.max))
	}
	return nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
