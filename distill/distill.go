// Package distill is teacher to student: ask, verify, filter, mix, train.
//
// It does not sample, judge or update weights itself: package engine or llm
// asks, package task judges, package train trains. What it owns is the set in
// between: JSON lines of examples, read here and written here.
//
// Invariants: an example keeps its place (file and line) until it is tokens, so
// that every complaint names it; reading keeps the order of the file.
package distill
