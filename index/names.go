package index

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
)

// LocationSuffix is appended to a table's location to get the default place of its sidecars.
const LocationSuffix = ".index"

const (
	dataExtension    = ".parquet"
	sidecarExtension = ".puffin"
	foreignFolder    = "foreign"
)

// SidecarName returns the location of the sidecar of a data file: <table>/data/x/y.parquet has <indexLocation>/x/y.puffin. A data file
// that is not such a file below <table>/data (another writer put it elsewhere, or it was added in place) has a name made from a hash of
// its location. All are URIs or absolute paths; indexLocation may be empty, which means the place beside the table, <table>.index.
func SidecarName(dataFile, tableLocation, indexLocation string) (string, error) {
	if dataFile == "" || tableLocation == "" {
		return "", fmt.Errorf("%w: a sidecar's name needs the locations of the data file (%q) and of the table (%q)", ErrInvalidOptions, dataFile, tableLocation)
	}
	table := strings.TrimRight(tableLocation, "/")
	location := strings.TrimRight(indexLocation, "/")
	if location == "" {
		location = table + LocationSuffix
	}
	relative, below := strings.CutPrefix(plainPath(dataFile), plainPath(table)+"/data/")
	stem, parquet := strings.CutSuffix(relative, dataExtension)
	if below && parquet && path.Base(stem) != "." && path.Clean("/"+stem) == "/"+stem && !strings.HasPrefix(stem, foreignFolder+"/") {
		return location + "/" + stem + sidecarExtension, nil
	}
	sum := sha256.Sum256([]byte(plainPath(dataFile)))
	return location + "/" + foreignFolder + "/" + hex.EncodeToString(sum[:16]) + sidecarExtension, nil
}

// plainPath brings the spellings of local files (file:///a, file:/a, /a) to one.
func plainPath(location string) string {
	rest, ok := strings.CutPrefix(location, "file:")
	if !ok {
		return location
	}
	return "/" + strings.TrimLeft(rest, "/")
}
