// Package lint tests the rules of the house on the source files themselves.
//
// It holds no code outside its tests, and nothing imports it. It asks no tool:
// the files are opened and parsed by the test, because the go command keeps a
// passing result as long as the files that the test itself opened are the same,
// and would not see what a child process has read.
//
// The rules' data (floors, sentences, forbidden imports, limits and the
// exceptions with their reasons) stands in house_test.go. A failure is mended
// in the code that broke the rule; the data changes only with the design.
package lint
