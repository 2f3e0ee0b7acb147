// Package sample holds a small real log that the examples load: 3,788 lines that two micro-service demos printed on Kubernetes
// during four days of 2022 and 2023. It comes from the data set Nezha (MIT licence; see NOTICE and LICENSE-nezha).
package sample

import (
	"bytes"
	_ "embed"
	"io"
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

// Compressed returns a reader of the sample as it is stored: JSON lines, Zstandard-compressed.
func Compressed() io.Reader { return bytes.NewReader(compressed) }
