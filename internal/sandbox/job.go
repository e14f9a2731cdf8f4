package sandbox

import "time"

// job is what the first process of a sandbox is told.
type job struct {
	Binds      []bind            `json:"binds"`
	Covered    []string          `json:"covered"`
	Files      map[string]string `json:"files"`
	Stdin      []byte            `json:"stdin"`
	Command    []string          `json:"command"`
	Memory     int64             `json:"memory"`
	Output     int64             `json:"output"`
	Disk       int64             `json:"disk"`
	Threads    int               `json:"threads"`
	CPU        time.Duration     `json:"cpu"`
	SecondUser bool              `json:"second_user"` // user and group 1 are mapped, to ids that own nothing
}

// report is what the first process says before it becomes the program; after it, only a failure to become it follows.
type report struct {
	Layers []Layer `json:"layers,omitempty"`
	Error  string  `json:"error,omitempty"`
}
