package format

import "fmt"

// typeNames are the names of the column types, as Iceberg has them.
var typeNames = [...]string{"invalid", "string", "bool", "int", "long", "float", "double", "timestamptz", "date", "map<string, string>", "an unsupported type"}

// String returns the type's name in Iceberg.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}
