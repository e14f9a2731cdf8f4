// Package distill is teacher to student: ask, verify, filter, mix, train.
//
// It does not sample, judge or update weights itself: package engine samples,
// package task judges, package train trains. What it owns is the set in between:
// Collect makes one of a teacher's traces, and its JSON lines are written and
// read here, as are those of anyone else.
//
// Invariants: an example keeps its place (file and line) until it is tokens, so
// that every complaint names it; reading keeps the order of the file. A set is a
// function of the teacher's weights, the problems and the options: it depends by
// no byte on how the work was cut, or on being killed and begun again. Every
// trace that was asked for is counted once, as kept or by what dropped it; one
// that cannot be judged is not wrong. No problem of a held-out group is asked.
package distill
