package catalog

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/apache/iceberg-go/table"
)

// DefaultNamespace holds the tables that are named without a namespace.
const DefaultNamespace = "default"

// maxNameBytes keeps names short enough for a directory name in every store.
const maxNameBytes = 200

var (
	tableNamePattern  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	columnNamePattern = regexp.MustCompile(`^[A-Za-z_@][A-Za-z0-9_@-]*$`)
)

// reservedColumns are names that Iceberg engines give a meaning of their own, and the name of the partition field.
var reservedColumns = map[string]bool{
	PartitionDay: true, "_file": true, "_pos": true, "_deleted": true, "_spec_id": true, "_partition": true,
	"_row_id": true, "_last_updated_sequence_number": true, "_path": true,
}

// findName turns "web" or "namespace.web" into the identifier of a table that may exist. Other engines allow names that Create does
// not, also namespaces of several parts.
func findName(name string) (table.Identifier, error) {
	namespace, short := DefaultNamespace, name
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		namespace, short = name[:dot], name[dot+1:]
	}
	if namespace == "" || short == "" {
		return nil, fmt.Errorf("%w: table name %q: write table or namespace.table", ErrInvalid, name)
	}
	return table.Identifier{namespace, short}, nil
}

// parseName turns "web" or "namespace.web" into the identifier of a table to be made.
func parseName(name string) (table.Identifier, error) {
	namespace, short, qualified := strings.Cut(name, ".")
	if !qualified {
		namespace, short = DefaultNamespace, name
	}
	for _, part := range []string{namespace, short} {
		if !tableNamePattern.MatchString(part) || len(part) > maxNameBytes {
			return nil, fmt.Errorf(
				"%w: table name %q: write table or namespace.table, each of letters, digits, _ and - and at most %d bytes long",
				ErrInvalid, name, maxNameBytes)
		}
	}
	return table.Identifier{namespace, short}, nil
}

// split returns the namespace and the table's own name.
func split(ident table.Identifier) (namespace, name string) {
	last := len(ident) - 1
	return strings.Join(ident[:last], "."), ident[last]
}

func fullName(ident table.Identifier) string { return strings.Join(ident, ".") }

func checkColumnName(name string) error {
	switch {
	case !columnNamePattern.MatchString(name) || len(name) > maxNameBytes:
		return fmt.Errorf("%w: column name %q: begin with a letter, _ or @, go on with letters, digits, _, @ and -, at most %d bytes",
			ErrInvalid, name, maxNameBytes)
	case reservedColumns[strings.ToLower(name)]:
		return fmt.Errorf("%w: column name %q is reserved: choose another", ErrInvalid, name)
	}
	return nil
}
