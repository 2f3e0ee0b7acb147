// Package sample holds a small real log that the examples load: 3,788 lines that two micro-service demos printed on Kubernetes
// during four days of 2022 and 2023. It comes from the data set Nezha (MIT licence; see NOTICE and LICENSE-nezha).
package sample

import (
	"bytes"
	_ "embed"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Name is the file name of the sample, for messages.
const Name = "logs.jsonl.zst"

// Lines and Days are how many JSON lines the sample holds and over how many UTC days they are spread.
const (
	Lines = 3788
	Days  = 4
)

//go:embed logs.jsonl.zst
var compressed []byte

// Open returns the JSON lines of the sample.
func Open() (io.ReadCloser, error) {
	decoder, err := zstd.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	return decoder.IOReadCloser(), nil
}
