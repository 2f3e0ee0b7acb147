package main

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// Targets of the bitmap's size, in percent of the data files.
var bitmapTargets = map[string]float64{
	"iotdb": 12, "k8s_nezha": 15, "web_access": 15, "postgres": 15, "winevt_winlogbeat": 15, "zeek_wrccdc": 30, "mixed": 18,
}

// Targets of the bloom filters' size, in percent of the data files, at 1 % false positives.
var bloomTargets = map[string]float64{"iotdb": 0.64}

// indexSize is what the indexes of one lake take. Bytes.
type indexSize struct {
	Lake        string           `json:"lake"`
	Rows        int64            `json:"rows"`
	Files       int              `json:"files"`
	DataBytes   int64            `json:"data_bytes"`
	BitmapBytes int64            `json:"bitmap_bytes"` // everything in the sidecars but the bloom filters
	BloomBytes  int64            `json:"bloom_bytes"`
	Tokens      int64            `json:"tokens"` // distinct in each file, added
	Asked       int64            `json:"absent_tokens_asked"`
	Found       int64            `json:"absent_tokens_found"`
	Parts       map[string]int64 `json:"parts"`
}

// falsePositives is the measured rate.
func (s indexSize) falsePositives() float64 { return float64(s.Found) / float64(max(s.Asked, 1)) }

// bitsPerToken is what the bloom filters spend.
func (s indexSize) bitsPerToken() float64 {
	return 8 * float64(s.BloomBytes) / float64(max(s.Tokens, 1))
}

// bloomLimit is how many bits a token a Bloom filter needs at least for a false positive rate.
func bloomLimit(p float64) float64 { return math.Log2(1/p) / math.Ln2 }

// sizes measures how large the indexes of each corpus are.
func (x *indexBench) sizes() error {
	x.section("Sizes with the default indexes, relative to the data files; false positives: absent tokens (a third each words, numbers, ids) asked " +
		"of each file's filter; limit: log2(1/p)/ln 2 bits a token")
	x.row("lake", "rows", "files", "data MB", "bitmap MB", "bitmap", "target", "bloom MB", "bloom", "target", "false pos.",
		"bits/token", "limit", "tokens")
	for _, name := range append(x.corpusNames(), "mixed") {
		l, err := x.lake(name)
		if err != nil {
			return err
		}
		if l.dir == "" {
			continue
		}
		s, err := x.indexSize(l)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		x.result.Sizes = append(x.result.Sizes, s)
		x.printSize(s)
	}
	x.section("The same by part, KB of all sidecars; percent of the data files")
	for _, s := range x.result.Sizes {
		var parts []string
		for _, kind := range slices.Sorted(maps.Keys(s.Parts)) {
			parts = append(parts, fmt.Sprintf("%s %d (%s)", kind, s.Parts[kind]/1000, percent(s.Parts[kind], s.DataBytes)))
		}
		fmt.Fprintf(x.out, "  %-20s %s\n", s.Lake, strings.Join(parts, ", "))
	}
	return nil
}

// corpusNames are the corpora in order.
func (b *bench) corpusNames() []string {
	var names []string
	for _, c := range b.corpora {
		names = append(names, c.Name)
	}
	return names
}

func (x *indexBench) printSize(s indexSize) {
	bitmap, bloom := 100*float64(s.BitmapBytes)/float64(s.DataBytes), 100*float64(s.BloomBytes)/float64(s.DataBytes)
	var bitmapVerdict, bloomVerdict string
	if target, ok := bitmapTargets[s.Lake]; ok {
		bitmapVerdict = x.result.atMost("TokenBitMap / data files, "+s.Lake, bitmap, target, "%").text()
	}
	if target, ok := bloomTargets[s.Lake]; ok {
		bloomVerdict = x.result.atMost("TokenBloomFilter / data files, "+s.Lake, bloom, target, "%").text()
		x.result.atMost("TokenBloomFilter, false positives, "+s.Lake, 100*s.falsePositives(), 1.05, "% (1 % and what chance adds)")
	}
	x.row(s.Lake, s.Rows, s.Files, mb(s.DataBytes), fmt.Sprintf("%.2f", float64(s.BitmapBytes)/1e6), fmt.Sprintf("%.2f %%", bitmap), bitmapVerdict,
		fmt.Sprintf("%.2f", float64(s.BloomBytes)/1e6), fmt.Sprintf("%.2f %%", bloom), bloomVerdict, fmt.Sprintf("%.2f %%", 100*s.falsePositives()),
		fmt.Sprintf("%.2f", s.bitsPerToken()), fmt.Sprintf("%.2f", bloomLimit(max(s.falsePositives(), 1e-6))), s.Tokens)
}

// indexSize opens all sidecars of a lake.
func (x *indexBench) indexSize(l loaded) (s indexSize, err error) {
	d, err := x.digest(l)
	if err != nil {
		return s, err
	}
	return s, x.withLake(l, func(lake *firn.Lake, table *firn.Table) (err error) {
		s, err = x.sidecarSizes(l.Corpus, lake, table, d.absent)
		return err
	})
}

// sidecarSizes adds up the sidecars of a table.
func (x *indexBench) sidecarSizes(name string, lake *firn.Lake, table *firn.Table, absent []string) (indexSize, error) {
	s := indexSize{Lake: name, Parts: map[string]int64{}}
	files, err := table.Files(x.ctx)
	if err != nil {
		return s, err
	}
	for _, f := range files {
		s.Rows, s.DataBytes, s.Files = s.Rows+f.Rows, s.DataBytes+f.Size, s.Files+1
		sidecar, _, err := x.openSidecar(lake.Store(), table, f)
		if err != nil {
			return s, err
		}
		if err := x.addSidecar(&s, sidecar, absent); err != nil {
			return s, err
		}
	}
	return s, nil
}

// openSidecar opens the sidecar of a data file and returns its name, too.
func (x *indexBench) openSidecar(store storage.Store, table *firn.Table, f firn.DataFile) (*index.Sidecar, string, error) {
	name, err := sidecarName(store, table, f)
	if err != nil {
		return nil, "", err
	}
	sidecar, err := index.Open(x.ctx, store, name, index.Identity{DataFile: path.Base(f.Path), Rows: uint32(f.Rows)})
	return sidecar, name, err
}

// sidecarName is the store's name of a data file's sidecar.
func sidecarName(store storage.Store, table *firn.Table, f firn.DataFile) (string, error) {
	uri, err := index.SidecarName(f.Path, table.Location(), table.IndexLocation())
	if err != nil {
		return "", err
	}
	name, ok := storage.NameOf(store, uri)
	if !ok {
		return "", fmt.Errorf("%s lies outside the lake", uri)
	}
	return name, nil
}

// addSidecar adds the sizes of a sidecar, and asks its bloom filters for absent tokens.
func (x *indexBench) addSidecar(s *indexSize, sidecar *index.Sidecar, absent []string) error {
	description, err := sidecar.Describe(x.ctx, 0)
	if err != nil {
		return err
	}
	for _, part := range description.Parts {
		s.Parts[part.Kind] += part.Bytes
	}
	sum := sidecar.Summary()
	s.BloomBytes += sum.BloomBytes
	s.BitmapBytes += sum.Bytes - sum.BloomBytes
	s.Tokens += sum.Tokens
	for _, column := range sum.Columns {
		if !column.Bloom || column.Column != "log_msg" { // absent are tokens that no message holds
			continue
		}
		for _, token := range absent {
			answer, err := sidecar.Bloom(x.ctx, column.FieldID, token)
			if err != nil {
				return err
			}
			if answer != index.NoFilter {
				s.Asked++
			}
			if answer == index.MayContain {
				s.Found++
			}
		}
	}
	return nil
}
