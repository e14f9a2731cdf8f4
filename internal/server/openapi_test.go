package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// contract is the parsed openapi.yaml.
type contract struct{ root map[string]any }

func readContract(t *testing.T) *contract {
	t.Helper()
	c := &contract{}
	if err := yaml.Unmarshal(openAPI, &c.root); err != nil {
		t.Fatal(err)
	}
	return c
}

// follow resolves a reference.
func (c *contract) follow(schema any) any {
	for {
		ref, ok := at(schema, "$ref").(string)
		if !ok {
			return schema
		}
		schema = c.root
		for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			schema = at(schema, part)
		}
	}
}

// fault is where a value does not fit a schema, "" if it does. An object has no property that is not named, unless the schema says so.
func (c *contract) fault(schema, value any, path string) string {
	schema = c.follow(schema)
	if schema == nil {
		return path + ": no schema"
	}
	if list, ok := at(schema, "enum").([]any); ok && !slices.ContainsFunc(list, func(x any) bool { return fmt.Sprint(x) == fmt.Sprint(value) }) {
		return fmt.Sprintf("%s: %v is none of %v", path, value, list)
	}
	types, _ := at(schema, "type").([]any)
	if one, ok := at(schema, "type").(string); ok {
		types = []any{one}
	}
	kind := map[bool]string{true: "integer", false: "number"}[fmt.Sprint(value) == fmt.Sprintf("%.0f", value)]
	switch v := value.(type) {
	case nil:
		kind = "null"
	case string:
		kind = "string"
	case bool:
		kind = "boolean"
	case []any:
		kind = "array"
		for i, item := range v {
			if at(schema, "items") != nil {
				if f := c.fault(at(schema, "items"), item, fmt.Sprintf("%s[%d]", path, i)); f != "" {
					return f
				}
			}
		}
	case map[string]any:
		kind = "object"
		required, _ := at(schema, "required").([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Sprintf("%s: %v is missing", path, name)
			}
		}
		free := at(schema, "additionalProperties") == true || at(schema, "properties") == nil
		for name, member := range v {
			inner := at(schema, "properties", name)
			if inner == nil && free {
				continue
			}
			if f := c.fault(inner, member, path+"."+name); f != "" {
				return f
			}
		}
	case float64:
		if v == float64(int64(v)) {
			kind = "integer"
		} else {
			kind = "number"
		}
	}
	if len(types) > 0 && !slices.Contains(types, any(kind)) && !(kind == "integer" && slices.Contains(types, any("number"))) {
		return fmt.Sprintf("%s: a %s, want %v", path, kind, types)
	}
	return ""
}

// TestContractNames: the document has exactly the routes, fields and ranges of the handlers.
func TestContractNames(t *testing.T) {
	c := readContract(t)
	paths := c.root["paths"].(map[string]any)
	count := 0
	for i := range endpoints {
		method, path, _ := strings.Cut(endpoints[i].pattern, " ")
		if at(paths, strings.Replace(path, "...", "", 1), strings.ToLower(method)) == nil {
			t.Errorf("%s is not in the document", endpoints[i].pattern)
		}
	}
	for _, methods := range paths {
		count += len(methods.(map[string]any))
	}
	if count != len(endpoints) {
		t.Errorf("%d operations, %d routes", count, len(endpoints))
	}
	for name, known := range map[string]fields{"ChatRequest": chatFields, "CompletionRequest": completionFields, "MessagesRequest": messageFields,
		"OllamaChatRequest": ollamaChatFields, "OllamaGenerateRequest": ollamaGenerateFields, "TokenizeRequest": tokenizeFields} {
		properties := at(c.root, "components", "schemas", name, "properties").(map[string]any)
		for field, check := range known {
			if properties[field] == nil && check == nil && !strings.ContainsAny(field, ".[") {
				t.Errorf("%s: %s is done and not in the document", name, field)
			}
		}
		for field, schema := range properties {
			if _, ok := known[field]; !ok {
				t.Errorf("%s: %s is in the document and foreign to the handler", name, field)
			}
			checkRanges(t, field, schema)
		}
	}
}

// checkRanges compares the bounds of numbers with the table.
func checkRanges(t *testing.T, path string, schema any) {
	t.Helper()
	for name, inner := range asMap(at(schema, "properties")) {
		checkRanges(t, path+"."+name, inner)
	}
	r, ok := ranges[path]
	low, isBounded := at(schema, "minimum"), at(schema, "minimum") != nil
	if isBounded && (!ok || fmt.Sprint(low) != number(r.min) || fmt.Sprint(at(schema, "maximum")) != number(r.max)) {
		t.Errorf("%s: the document says %v to %v, the table %v", path, low, at(schema, "maximum"), r)
	}
	if kind := at(schema, "type"); ok && !isBounded && (kind == "integer" || kind == "number") && !strings.HasSuffix(path, "seed") {
		t.Errorf("%s has a range in the table and none in the document", path)
	}
}

func asMap(v any) map[string]any { m, _ := v.(map[string]any); return m }

// TestContractReplies: what the handlers answer fits the document, streamed or not, good or bad.
func TestContractReplies(t *testing.T) {
	c := readContract(t)
	_, h := serve(t, fixed(`{"name":"add","arguments":{"a":1}}`))
	used := map[string]bool{}
	const turn = `{"model":"talk","max_tokens":30,"messages":[{"role":"user","content":"x"}]`
	for _, q := range []struct{ pattern, body string }{
		{"GET /health", ""}, {"GET /v1/models", ""}, {"GET /v1/models/talk", ""}, {"GET /v1/models/none", ""}, {"GET /v1/requests", ""},
		{"POST /v1/chat/completions", turn + `,"n":2,"logprobs":true,"top_logprobs":2,"return_token_ids":true}`},
		{"POST /v1/chat/completions", turn + `,"stream":true,"logprobs":true,"stream_options":{"include_usage":true}}`},
		{"POST /v1/chat/completions", turn + `,"stream":true,"logprobs":true,"top_logprobs":1,"return_token_ids":true,"continue_token_ids":[65,261,66]}`},
		{"POST /v1/chat/completions", turn + `,"continue_token_ids":[65]}`},
		{"POST /v1/chat/completions", turn + `,"answer_reserve":0}`},
		{"POST /v1/chat/completions", turn + `,"tool_choice":"required",` + tools + `}`},
		{"POST /v1/chat/completions", turn + `,"tool_choice":"required","stream":true,` + tools + `}`},
		{"POST /v1/chat/completions", turn + `,"n":0}`},
		{"POST /v1/chat/completions", `{"model":"talk","messages":[{"role":"user","content":"` + strings.Repeat("x", 5000) + `"}]}`},
		{"POST /v1/completions", `{"model":"talk","prompt":"x","max_tokens":3,"logprobs":1}`},
		{"POST /v1/completions", `{"model":"talk","prompt":"x","max_tokens":3,"logprobs":1,"stream":true}`},
		{"POST /v1/completions", `{"model":"talk","prompt":"x","max_tokens":3,"return_token_ids":true}`},
		{"POST /tokenize", `{"prompt":"x","return_token_strs":true}`}, {"POST /tokenize", `{"content":"x","with_pieces":true}`},
		{"POST /detokenize", `{"tokens":[65]}`}, {"POST /apply-template", turn + "}"},
		{"POST /v1/requests/none/close-thought", "{}"}, {"DELETE /v1/requests/none", ""},
		{"POST /v1/messages", turn + "}"}, {"POST /v1/messages", turn + `,"stream":true}`}, {"POST /v1/messages", "{}"},
		{"POST /v1/messages", turn + `,"tools":[{"name":"add","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}`},
		{"POST /v1/messages/count_tokens", turn + "}"},
		{"POST /api/chat", turn + `,"stream":false}`}, {"POST /api/chat", turn + `,"options":{"num_predict":9}}`}, {"POST /api/chat", `{"model":"talk"}`}, {"POST /api/chat", `{}`},
		{"POST /api/generate", `{"model":"talk","prompt":"x","options":{"num_predict":9}}`}, {"POST /api/generate", `{"model":"talk","prompt":"x","stream":false,"options":{"num_predict":9}}`},
		{"GET /api/tags", ""}, {"POST /api/show", `{"model":"talk"}`}, {"GET /api/ps", ""}, {"GET /api/version", ""},
	} {
		method, path, _ := strings.Cut(q.pattern, " ")
		a := send(t, h, method, path, q.body)
		general := strings.NewReplacer("/models/talk", "/models/{id}", "/models/none", "/models/{id}", "/requests/none", "/requests/{id}").Replace(path)
		used[method+" "+general] = true
		status := "200"
		if a.status != 200 {
			status = "default"
		}
		kind := a.header.Get("Content-Type")
		schema := at(c.root, "paths", general, strings.ToLower(method), "responses", status, "content", kind, "schema")
		var values []map[string]any
		switch {
		case kind == "text/event-stream":
			values, _ = events(t, a.body)
		default:
			values = lines(t, bytes.TrimSpace(a.body))
		}
		if len(values) == 0 {
			t.Errorf("%s: nothing came: %s", q.pattern, a.body)
		}
		for i, v := range values {
			if f := c.fault(schema, any(v), fmt.Sprintf("%s %s, value %d", q.pattern, q.body, i)); f != "" {
				text, _ := json.Marshal(v)
				t.Errorf("%.300s\n%.500s", f, text)
				break
			}
		}
	}
	for i := range endpoints {
		pattern := strings.Replace(endpoints[i].pattern, "...", "", 1)
		if !used[pattern] && pattern != "GET /metrics" && pattern != "GET /openapi.yaml" {
			t.Errorf("%s was not tried", pattern)
		}
	}
}
