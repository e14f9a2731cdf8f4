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
// if the first had never been caught. stop gives the signals back.
func interruptible(parent context.Context, notice io.Writer) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-arrived:
			signal.Stop(arrived)
			fmt.Fprintln(notice, "\nretort: stopping after this step; Ctrl-C again stops at once and keeps only the last checkpoint")
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(arrived)
		cancel()
	}
}
