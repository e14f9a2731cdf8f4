// Package embedded opens the model that is part of the program.
//
// It does not say what to do in a build without one: the error of the missing file is returned as it is.
//
// What it returns holds no file open.
package embedded

import (
	"errors"
	"io/fs"

	"github.com/retort-ml/retort/internal/tinymodel"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/tokenizer"
	"github.com/retort-ml/retort/weights"
)

// Open reads the embedded model, in float32, and its tokenizer.
func Open() (*model.Model, *tokenizer.Tokenizer, error) {
	var data [3][]byte
	for i, name := range []string{tinymodel.Config, tinymodel.Weights, tinymodel.Tokenizer} {
		var err error
		if data[i], err = fs.ReadFile(tinymodel.Files(), name); err != nil {
			return nil, nil, err
		}
	}
	config, err := model.ParseConfig(data[0])
	if err != nil {
		return nil, nil, err
	}
	file, err := weights.Parse("embedded model", data[1])
	if err != nil {
		return nil, nil, err
	}
	m, err := model.Load(config, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, nil, err
	}
	t, err := tokenizer.Parse(data[2])
	return m, t, err
}
