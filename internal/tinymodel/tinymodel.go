// Package tinymodel is the embedded model: bytes and the command that made them.
//
// It does not parse, check or run the model, and knows none of its formats. The folder files holds config.json,
// model.safetensors and tokenizer.json, as a saved model has them, and MADE.txt: the command. A build without a model
// has MADE.txt alone.
//
// Either all three files of the model are there or none, and all four together stay below 4 MiB.
package tinymodel

import (
	"embed"
	"io/fs"
)

//go:embed files
var files embed.FS

// The names in [Files].
const (
	Config    = "config.json"
	Weights   = "model.safetensors"
	Tokenizer = "tokenizer.json"
	Made      = "MADE.txt"
)

// Files is the embedded folder, read-only.
func Files() fs.FS {
	folder, err := fs.Sub(files, "files")
	if err != nil {
		panic("tinymodel: the embedded folder has an invalid name")
	}
	return folder
}

// Present reports whether this build has a model.
func Present() bool { return present(Files()) }

func present(folder fs.FS) bool {
	for _, name := range []string{Config, Weights, Tokenizer} {
		if _, err := fs.Stat(folder, name); err != nil {
			return false
		}
	}
	return true
}
