package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
)

// deletedPathFieldID is the field id that Iceberg reserves for the column file_path of position delete files.
const deletedPathFieldID = 2147483546

// deleteIndex answers which data files have rows that delete files may remove, by the rules of the Iceberg spec ("Scan Planning"):
// a delete applies to data that is as old as it or older (equality deletes: strictly older), in the same partition of the same spec;
// equality deletes of an unpartitioned spec apply everywhere; deletion vectors and file-scoped deletes apply to one path.
type deleteIndex struct {
	byPath       map[string]int64            // newest delete that names one data file
	byPartition  map[string][]positionDelete // by spec and partition
	equality     map[string]int64            // newest equality delete, by spec and partition
	globalNewest int64                       // newest equality delete of an unpartitioned spec, -1 if none
	anything     bool
}

// positionDelete is a position delete file that may name several data files, within bounds of their paths.
type positionDelete struct {
	sequence     int64
	lower, upper []byte // of the paths; nil unknown
}

func newDeleteIndex(entries [][]iceberg.ManifestEntry) *deleteIndex {
	x := &deleteIndex{
		byPath: map[string]int64{}, byPartition: map[string][]positionDelete{}, equality: map[string]int64{}, globalNewest: -1,
	}
	for _, ofManifest := range entries {
		for _, entry := range ofManifest {
			x.add(entry)
		}
	}
	return x
}

func (x *deleteIndex) add(entry iceberg.ManifestEntry) {
	x.anything = true
	file, sequence := entry.DataFile(), entry.SequenceNum()
	partition := file.Partition()
	key := partitionKey(file.SpecID(), partitionTuple(partition))
	switch {
	case file.ContentType() == iceberg.EntryContentEqDeletes && len(partition) == 0:
		x.globalNewest = max(x.globalNewest, sequence)
	case file.ContentType() == iceberg.EntryContentEqDeletes:
		if newest, ok := x.equality[key]; !ok || sequence > newest {
			x.equality[key] = sequence
		}
	case file.ReferencedDataFile() != nil:
		path := *file.ReferencedDataFile()
		if newest, ok := x.byPath[path]; !ok || sequence > newest {
			x.byPath[path] = sequence
		}
	default:
		x.byPartition[key] = append(x.byPartition[key], positionDelete{
			sequence: sequence,
			lower:    file.LowerBoundValues()[deletedPathFieldID],
			upper:    file.UpperBoundValues()[deletedPathFieldID],
		})
	}
}

func (x *deleteIndex) mayApply(file liveFile) bool {
	if !x.anything {
		return false
	}
	if newest, ok := x.byPath[file.Path]; ok && newest >= file.sequence {
		return true
	}
	if x.globalNewest > file.sequence {
		return true
	}
	key := partitionKey(file.specID, file.tuple)
	if newest, ok := x.equality[key]; ok && newest > file.sequence {
		return true
	}
	return slices.ContainsFunc(x.byPartition[key], func(d positionDelete) bool {
		return d.sequence >= file.sequence &&
			(d.lower == nil || string(d.lower) <= file.Path) && (d.upper == nil || file.Path <= string(d.upper))
	})
}

func partitionKey(specID int32, tuple string) string { return fmt.Sprintf("%d/%s", specID, tuple) }

// partitionTuple spells partition values so that equal tuples, and only those, are equal.
func partitionTuple(partition map[int]any) string {
	ids := make([]int, 0, len(partition))
	for id := range partition {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var tuple strings.Builder
	for _, id := range ids {
		value := plainValue(partition[id])
		switch v := value.(type) { // a column may have been widened between two files
		case int32:
			value = int64(v)
		case float32:
			value = float64(v)
		}
		fmt.Fprintf(&tuple, "%d=%T:%q;", id, value, fmt.Sprint(value))
	}
	return tuple.String()
}
