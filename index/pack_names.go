package index

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	packFolder    = "packs"
	packExtension = ".pack"
	packLast      = "-last"
	// longestPartition is up to which length a partition stands in names of packs as it is.
	longestPartition = 120
)

// PropertyPacks is the table property that says whether there are bloom packs to look for. The first pack that maintenance builds sets it to true; false
// means that none are to be built.
const PropertyPacks = "firn.index.packs"

// PackName is the name of a pack, taken apart. The packs of one partition that were built together are one generation: each covers other files.
type PackName struct {
	Name       string    // in the store
	Partition  string    // as PackPartition spells it
	Generation string    // of two, the later one is greater
	Time       time.Time // of the generation, in milliseconds
	Part       int       // from 1 on
	Last       bool      // no part follows
	Parts      int       // of the generation; known to LatestPacks only
}

// PackPrefix returns the prefix of the names of all packs, given the name of the index location in the store.
func PackPrefix(indexLocation string) string { return path.Join(indexLocation, packFolder) + "/" }

// IsPack says whether an object below an index location is a bloom pack, by its name.
func IsPack(name string) bool { return strings.HasSuffix(name, packExtension) }

// IsSidecar says whether an object below an index location is a sidecar, by its name.
func IsSidecar(name string) bool { return strings.HasSuffix(name, sidecarExtension) }

// PackGeneration returns the name of a generation that begins now. salt tells it from others of the same millisecond.
func PackGeneration(now time.Time, salt uint32) string {
	return fmt.Sprintf("%013d-%08x", max(now.UnixMilli(), 0), salt)
}

// PackObject returns the name of a part (from 1 on) of a generation; the last one is written when all others are there.
func PackObject(indexLocation, partition, generation string, part int, last bool) string {
	end := ""
	if last {
		end = packLast
	}
	return fmt.Sprintf("%s%s/%s-%d%s%s", PackPrefix(indexLocation), partition, generation, part, end, packExtension)
}

// ParsePackName takes the name of a pack apart. ok is false for everything else.
func ParsePackName(indexLocation, name string) (p PackName, ok bool) {
	relative, below := strings.CutPrefix(name, PackPrefix(indexLocation))
	stem, pack := strings.CutSuffix(relative, packExtension)
	if !below || !pack {
		return p, false
	}
	p = PackName{Name: name, Partition: path.Dir(stem)}
	base, last := strings.CutSuffix(path.Base(stem), packLast)
	words := strings.Split(base, "-")
	if len(words) != 3 || len(words[0]) != 13 || len(words[1]) != 8 {
		return p, false
	}
	millis, err := strconv.ParseInt(words[0], 10, 64)
	part, err2 := strconv.Atoi(words[2])
	if err != nil || err2 != nil || part < 1 {
		return p, false
	}
	p.Generation, p.Time, p.Part, p.Last = words[0]+"-"+words[1], time.UnixMilli(millis).UTC(), part, last
	return p, true
}

// LatestPacks returns the packs that count, by partition: those of the latest generation of which all parts are there, in the order of the parts.
func LatestPacks(names []PackName) map[string][]PackName {
	names = slices.Clone(names)
	slices.SortFunc(names, func(a, b PackName) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), -cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Part, b.Part))
	})
	latest := map[string][]PackName{}
	for from := 0; from < len(names); {
		end := from + 1
		for end < len(names) && names[end].Partition == names[from].Partition && names[end].Generation == names[from].Generation {
			end++
		}
		parts := names[from:end]
		if _, done := latest[parts[0].Partition]; !done && parts[len(parts)-1].Last && parts[len(parts)-1].Part == len(parts) {
			for i := range parts {
				parts[i].Parts = len(parts)
			}
			latest[parts[0].Partition] = parts
		}
		from = end
	}
	return latest
}

// PackPartition spells a partition, given as names and values of its fields, so that it can stand in a name. Files of different partitions may come to the
// same spelling in odd cases, which does no harm: packs know their files by more than that.
func PackPartition(fields map[string]any) string {
	if len(fields) == 0 {
		return "all"
	}
	var parts []string
	for name, value := range fields {
		text := "null"
		if value != nil {
			text = fmt.Sprint(value)
		}
		parts = append(parts, url.PathEscape(name)+"="+url.PathEscape(text))
	}
	slices.Sort(parts)
	spelled := strings.Join(parts, ",")
	if len(spelled) <= longestPartition {
		return spelled
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(spelled))
	return fmt.Sprintf("%s~%016x", strings.TrimRight(spelled[:longestPartition], "%"), h.Sum64())
}

// PackFileOf returns a data file as packs know it. The locations are those of SidecarName.
func PackFileOf(dataFile, tableLocation, indexLocation string, rows uint32, bytes int64) (PackFile, error) {
	sidecar, err := SidecarName(dataFile, tableLocation, indexLocation)
	if err != nil {
		return PackFile{}, err
	}
	location := strings.TrimRight(indexLocation, "/")
	if location == "" {
		location = strings.TrimRight(tableLocation, "/") + LocationSuffix
	}
	return PackFile{strings.TrimSuffix(strings.TrimPrefix(sidecar, location+"/"), sidecarExtension), rows, bytes}, nil
}
