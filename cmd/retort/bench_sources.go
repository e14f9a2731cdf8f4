package main

import "github.com/retort-ml/retort/hub"

// The homes of files, each at one commit: what a branch holds changes.
const (
	qwenMath     = "https://raw.githubusercontent.com/QwenLM/Qwen2.5-Math/a45202bd16f1ec06f433442dc1152d0074773465/evaluation/data/"
	qwq          = "https://raw.githubusercontent.com/QwenLM/QwQ/620a5eadc89ff464d339367dd9c9973a93215c81/eval/data/"
	mathHarness  = "https://raw.githubusercontent.com/ZubinGou/math-evaluation-harness/db77bc6bb2a17c90ed2d63e88ebd8c40a82858c5/data/"
	gradeSchool  = "https://raw.githubusercontent.com/openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/"
	humanEval    = "https://raw.githubusercontent.com/openai/human-eval/6d43fb980f9fee3c892a914eda09951f772ad10d/data/"
	googleMBPP   = "https://raw.githubusercontent.com/google-research/google-research/master/mbpp/"
	simpleEvals  = "https://openaipublic.blob.core.windows.net/simple-evals/"
	liveCodeLite = "https://huggingface.co/datasets/livecodebench/code_generation_lite/resolve/main/"
)

const maaRights = "the problems belong to the Mathematical Association of America: for your own use, not to be passed on"

// benchSources are the homes of the benchmarks that eval knows. Where no hash stands, the file at its home may change, and
// the number of problems is what is checked.
var benchSources = map[string]benchSource{
	"aime24": {file: "aime24", licence: "MIT (the repository)", rights: maaRights, problems: 30, convert: plainRow("aime24"), parts: []hub.Source{
		{URL: qwenMath + "aime24/test.jsonl", Size: 156944, SHA256: "af2b8bd2aa911b6333ad0df32f3ca05c7ae8ed10f1731f4372c8ae26990bf7ac"}}},
	"aime25": {file: "aime25", licence: "Apache-2.0 (the repository)", rights: maaRights, problems: 30, convert: plainRow("aime25"), parts: []hub.Source{
		{URL: qwq + "aime25.jsonl", Size: 15785, SHA256: "9da60057135388687f3c594476b211538d0be8e7f3b2de6e680513281412c0ec"}}},
	"amc23": {file: "amc23", licence: "MIT (the repository)", rights: maaRights, problems: 40, convert: plainRow("amc23"), parts: []hub.Source{
		{URL: qwenMath + "amc23/test.jsonl", Size: 27631, SHA256: "43707e1ca784602d8479de24ee8ce36609dbebc46dd152b0b12a46611aa898a4"}}},
	"math500": {file: "math500", licence: "MIT", problems: 500, convert: plainRow("math500"), parts: []hub.Source{
		{URL: mathHarness + "math_oai/test.jsonl", Size: 446564, SHA256: "35dc41080a3680858b27fa7e0533d2d547825316fc5dafe5d316f4ccc5a06132"}}},
	"gsm8k": {file: "gsm8k", licence: "MIT", problems: 1319, convert: gradeSchoolRow, parts: []hub.Source{
		{URL: gradeSchool + "test.jsonl", Size: 749738, SHA256: "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14"}}},
	"minerva": {file: "minerva_math", licence: "CC BY-NC-SA 4.0 (MIT OpenCourseWare)", rights: "not for commercial use", problems: 272, convert: minervaRow, parts: []hub.Source{
		{URL: qwenMath + "minerva_math/test.jsonl", Size: 247267, SHA256: "0e656b430d3a0a1dab6aa853f453ba3805e28e2cabe4fc72486a897cc09d8ba2"}}},
	"olympiadbench": {file: "olympiadbench", licence: "MIT", problems: 675, convert: olympiadRow, parts: []hub.Source{
		{URL: qwenMath + "olympiadbench/test.jsonl", Size: 1493870, SHA256: "bb8c1e38a16ea9eacb77530315a674d883f267fbff79183effc53681b4fcc416"}}},
	"gpqa": {file: "gpqa_diamond", licence: "CC BY 4.0", rights: "the authors ask that no problem be shown in plain text online", problems: 198, convert: gpqaRow, parts: []hub.Source{
		{URL: simpleEvals + "gpqa_diamond.csv"}}},
	"humaneval": {file: "humaneval", licence: "MIT", problems: 164, convert: humanEvalRow, parts: []hub.Source{
		{URL: humanEval + "HumanEval.jsonl.gz", Size: 44877, SHA256: "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"}}},
	"mbpp": {file: "mbpp", licence: "CC BY 4.0", problems: 500, convert: mbppRow, parts: []hub.Source{
		{URL: googleMBPP + "mbpp.jsonl"}}},
	"livecodebench": {file: "livecodebench", licence: "CC", rights: "the problems belong to the sites of the contests", convert: liveCodeRow, parts: []hub.Source{
		{URL: liveCodeLite + "test4.jsonl"}, {URL: liveCodeLite + "test5.jsonl"}}},
}
