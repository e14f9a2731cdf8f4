package eval

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxQuestionBytes bounds a line of a file of problems: the tests of one program may be long.
const maxQuestionBytes = 1 << 26

// OpenQuestions reads a benchmark's problems from a file of JSON lines, perhaps gzipped, or from the file of the
// benchmark's name in a folder. limit > 0 takes the first so many. It returns the sha256 of the file beside them.
//
// A line has id, problem and answer, and where they are known subject, level and error (an absolute tolerance); a
// multiple choice has wrong beside answer, or choices and the right one's letter as answer; a program has the fields
// of Program. seed
// shuffles choices.
func OpenQuestions(b *Benchmark, path string, seed uint64, limit int) (questions []Question, digest string, err error) {
	if path, err = questionFile(b, path); err != nil {
		return nil, "", fmt.Errorf("eval: %s: %w", b.Name, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("eval: %s: %w", b.Name, err)
	}
	defer file.Close()
	hash := sha256.New()
	questions, err = ReadQuestions(b, io.TeeReader(file, hash), seed)
	if err == nil {
		_, err = io.Copy(hash, file) // what lies behind the end of a gzipped stream
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	if limit > 0 && limit < len(questions) {
		questions = questions[:limit]
	}
	return questions, hex.EncodeToString(hash.Sum(nil)), nil
}

// questionFile finds a benchmark's file.
func questionFile(b *Benchmark, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path, err
	}
	for _, name := range []string{b.File + ".jsonl", b.File + ".jsonl.gz"} {
		if info, err := os.Stat(filepath.Join(path, name)); err == nil && info.Mode().IsRegular() {
			return filepath.Join(path, name), nil
		}
	}
	return "", fmt.Errorf("%s holds no %s.jsonl; its public home is %s", path, b.File, b.Source)
}

// ReadQuestions reads a benchmark's problems, as OpenQuestions does.
func ReadQuestions(b *Benchmark, source io.Reader, seed uint64) ([]Question, error) {
	plain, err := unpack(source)
	if err != nil {
		return nil, fmt.Errorf("eval: %s: %w", b.Name, err)
	}
	lines := bufio.NewScanner(plain)
	lines.Buffer(nil, maxQuestionBytes)
	var questions []Question
	seen := map[string]bool{}
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		q, err := b.question(line, seed)
		if err == nil && seen[q.ID] {
			err = fmt.Errorf("id %q came before", q.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("eval: %s: line %d: %w", b.Name, number, err)
		}
		seen[q.ID] = true
		questions = append(questions, q)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("eval: %s: %w", b.Name, err)
	}
	if len(questions) == 0 {
		return nil, errors.New("eval: " + strings.TrimSpace(b.Name) + ": no problems, want lines with id, problem and answer")
	}
	return questions, nil
}
