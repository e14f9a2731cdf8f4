package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/retort-ml/retort/eval"
)

// benchDataCommand fetches the problems of benchmarks from their public homes.
type benchDataCommand struct {
	Names  []string `arg:"" name:"benchmark" help:"Benchmarks: ${benchmarks}."`
	Folder string   `name:"to" default:"data/bench" placeholder:"DIR" help:"Where the files go, one of JSON lines for each benchmark."`
	From   []string `name:"from" placeholder:"URL" sep:"none" help:"Another address of the one benchmark's file, such as a mirror; repeatable, for a benchmark in several files."`
	Agree  bool     `name:"agree" help:"Fetch problems whose owners restrict what may be done with them, too; their terms are printed."`
}

// benchDataEvent is the --json form of a file that was fetched.
type benchDataEvent struct {
	Benchmark string   `json:"benchmark"`
	Path      string   `json:"path"`
	Problems  int      `json:"problems"`
	SHA256    string   `json:"sha256"` // of the file that was written
	From      []string `json:"from"`
	Licence   string   `json:"licence"`
	Rights    string   `json:"rights,omitempty"`
}

// Run fetches each benchmark; a file appears whole or not at all.
func (c *benchDataCommand) Run(ctx context.Context, out *output) error {
	if len(c.From) > 0 && len(c.Names) != 1 {
		return usage(errors.New("--from is the address of one benchmark's file"), "retort bench-data math500 --from URL")
	}
	for _, name := range c.Names {
		b, err := eval.LookupBenchmark(name)
		if err != nil {
			return usage(err, "")
		}
		if b.Rights != "" && !c.Agree {
			return usage(fmt.Errorf("%s: %s; licence: %s", b.Title, b.Rights, b.Licence), "retort bench-data --agree "+name)
		}
	}
	if err := os.MkdirAll(c.Folder, 0o755); err != nil {
		return err
	}
	client := &http.Client{Timeout: time.Hour}
	for _, name := range c.Names {
		b, err := eval.LookupBenchmark(name)
		if err == nil {
			err = c.fetch(ctx, out, client, &b)
		}
		if err != nil {
			return fmt.Errorf("bench-data: %s: %w", name, err)
		}
	}
	return nil
}

func (c *benchDataCommand) fetch(ctx context.Context, out *output, client *http.Client, b *eval.Benchmark) error {
	urls := c.From
	if len(urls) == 0 {
		urls = b.Homes()
	}
	path := filepath.Join(c.Folder, b.File+".jsonl")
	problems, hash := 0, sha256.New()
	err := writeWhole(path, func(w io.Writer) error {
		for _, url := range urls {
			out.note("%s: %s", b.Title, url)
			n, err := convertURL(ctx, client, b, url, io.MultiWriter(w, hash), problems)
			if problems += n; err != nil {
				return err
			}
		}
		switch {
		case problems == 0:
			return errors.New("no problem was found")
		case b.Problems > 0 && problems != b.Problems:
			return fmt.Errorf("got %d problems, want %d: the file at its home has changed", problems, b.Problems)
		}
		return nil
	})
	if err != nil {
		return err
	}
	digest := hex.EncodeToString(hash.Sum(nil))
	out.result("%s: %d problems, sha256 %.16s; licence: %s", path, problems, digest, b.Licence)
	if b.Rights != "" {
		out.result("%s: %s", b.Title, b.Rights)
	}
	return out.event("fetched", benchDataEvent{b.Name, path, problems, digest, urls, b.Licence, b.Rights})
}

// convertURL fetches one file and appends its problems to w.
func convertURL(ctx context.Context, client *http.Client, b *eval.Benchmark, url string, w io.Writer, first int) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", url, strings.TrimSpace(response.Status))
	}
	n, err := b.Convert(response.Body, w, first)
	if err != nil {
		return n, fmt.Errorf("%s: %w", url, err)
	}
	return n, nil
}
