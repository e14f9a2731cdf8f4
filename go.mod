module github.com/retort-ml/retort

go 1.26.0

require (
	github.com/alecthomas/kong v1.17.0 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
