package sandbox

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if IsInit() {
		os.Exit(Init())
	}
	os.Exit(m.Run())
}

func TestSmoke(t *testing.T) {
	s := New(Options{})
	t.Logf("%+v", s.Check(t.Context()))
	for range 3 {
		r, err := s.Run(t.Context(), Program{Files: map[string]string{"a.py": `
import os, sys, json, re, typing, ctypes, threading, decimal
print(input(), os.getpid(), os.getuid(), os.listdir('/'), os.listdir('/libraries'), sys.path, os.environ)
def f(): print('t')
t = threading.Thread(target=f); t.start(); t.join()
print(open('/dev/stdin').read())
import random, statistics, heapq
try: os.fork()
except OSError as e: print(e)
`}, Main: "a.py", Stdin: []byte("hello\nx")})
		t.Logf("%v %v %v %v %v\n%s\n%s", err, r.Ending, r.Status, r.CPU, r.Wall, r.Stdout, r.Stderr)
	}
}
