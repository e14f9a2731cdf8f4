package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// interruptible returns a context that the first Ctrl-C or SIGTERM cancels, so
// that work stops at its next checkpoint. The second one kills the program, as
// if the first had never been caught. It is answered with a notice. stop gives
// the signals back.
func interruptible(parent context.Context, err io.Writer, notice string) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-arrived:
			signal.Stop(arrived)
			fmt.Fprintf(err, "\nretort: %s\n", notice)
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(arrived)
		cancel()
	}
}

// stopNotice is what the first Ctrl-C is answered with, by what the command does then.
func stopNotice(arguments []string) string {
	for i, a := range arguments {
		switch a {
		case "sft", "distill", "grpo", "lab":
			return "stopping after this step; Ctrl-C again stops at once and keeps only the last checkpoint"
		case "serve":
			return fmt.Sprintf("no more requests are taken, and those under way have %v to end; Ctrl-C again ends them at once", shutdownTime)
		}
		isValue := i > 0 && arguments[i-1] == "--config"
		if len(a) > 0 && a[0] != '-' && !isValue {
			break
		}
	}
	return "stopping; Ctrl-C again stops at once"
}
