package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

// createFlags describe a table on the command line.
type createFlags struct {
	columns     []string
	indexes     []string
	valueBlooms []string
	values      []string
	partitionBy string
}

// createReport is what create prints with --json.
type createReport struct {
	Table string `json:"table"`
	design
}

// design is how a table is laid out.
type design struct {
	Location    string            `json:"location"`
	Columns     []columnReport    `json:"columns"`
	Indexes     map[string]string `json:"indexes"`
	ValueBlooms []string          `json:"value_blooms"`
	Values      map[string]string `json:"value_indexes,omitempty"` // expression to kinds
	PartitionBy []string          `json:"partition_by"`
}

type columnReport struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Required bool   `json:"required"`
	FieldID  int    `json:"field_id"`
}

func (a *app) createCommand() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create TABLE",
		Short: "Make an empty table",
		Long: `Make an empty table.

Every table has the columns _timestamp, app_id, level, host, trace_id, log_msg and attrs (a map of strings that takes every field without
a column of its own). --column adds typed ones: string, bool, int, long, float, double, timestamp, date.

Default indexes: token bitmap and token bloom filter on log_msg, a value bloom filter on trace_id.`,
		Example: `  firn create web --column status:int --column took:double --index log_msg=bitmap,bloom --value-bloom host
  firn create api --index-value "element_at(attrs,'took')=range" --index-value "json_extract(log_msg,'$.user.id')=bloom"
  firn create billing.events --partition-by app_id`,
		Args: exactArgs("TABLE"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.create(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.columns, "column", nil, "add a column, `name:type`; repeatable")
	flags.StringArrayVar(&f.indexes, "index", nil, "text index of a string column, `col=bitmap|bloom|none` (also col=bitmap,bloom); repeatable")
	flags.StringArrayVar(&f.valueBlooms, "value-bloom", nil, "bloom filter over whole values for point look-ups in `col`; repeatable")
	flags.StringArrayVar(&f.values, "index-value", nil, "value index of an expression, `expr=bloom|range` (also expr=bloom,range), where expr is a column, "+
		"map_keys(attrs), map_values(attrs), element_at(attrs,'key') or json_extract(log_msg,'$.a.b'); repeatable")
	flags.StringVar(&f.partitionBy, "partition-by", "", "second partition level below the day: the value of `col`")
	return cmd
}

func (a *app) create(ctx context.Context, name string, f createFlags) (err error) {
	spec, err := f.spec(name)
	if err != nil {
		return err
	}
	lake, err := a.openLake(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	table, err := lake.Create(ctx, spec)
	if errors.Is(err, firn.ErrTableExists) {
		return fmt.Errorf("%w; look at it with 'firn inspect table %s', remove it with 'firn drop %s', or choose another name", err, name, name)
	}
	if err != nil {
		return err
	}
	r := createReport{table.Name(), describe(table)}
	if a.json {
		return a.printJSON(r)
	}
	if err := a.printf("Created %s at %s\n\n", r.Table, r.Location); err != nil {
		return err
	}
	if err := a.printColumns(r.design); err != nil {
		return err
	}
	return a.printf("\nNext: firn load %s FILE\n", name)
}

// describe collects what create and inspect print about a table's design.
func describe(t *firn.Table) design {
	r := design{
		Location: t.Location(), PartitionBy: []string{firn.PartitionDay},
		Indexes: map[string]string{}, ValueBlooms: []string{},
	}
	if c := t.PartitionColumn(); c != "" {
		r.PartitionBy = append(r.PartitionBy, c)
	}
	properties := t.Properties()
	for _, c := range t.Columns() {
		r.Columns = append(r.Columns, columnReport{c.Name, c.Type, c.Required, c.ID})
		if kinds := firn.IndexKinds(properties, c.Name); len(kinds) > 0 {
			r.Indexes[c.Name] = joinKinds(kinds)
		}
		if firn.HasValueBloom(properties, c.Name) {
			r.ValueBlooms = append(r.ValueBlooms, c.Name)
		}
	}
	r.Values = describeValues(properties)
	return r
}

// printColumns prints a table's columns with their indexes.
func (a *app) printColumns(r design) error {
	var rows [][]string
	for _, c := range r.Columns {
		index := r.Indexes[c.Name]
		if index == "" {
			index = "-"
		}
		bloom := "-"
		if slices.Contains(r.ValueBlooms, c.Name) {
			bloom = "yes"
		}
		rows = append(rows, []string{c.Name, c.Type, index, bloom})
	}
	if err := a.table("COLUMN\tTYPE\tTEXT INDEX\tVALUE BLOOM", rows); err != nil {
		return err
	}
	if err := a.printValues(r.Values); err != nil {
		return err
	}
	return a.printf("partitioned by %s, sorted by _timestamp\n", strings.Join(r.PartitionBy, ", "))
}

// spec turns the flags into a table's description.
func (f createFlags) spec(name string) (firn.TableSpec, error) {
	spec := firn.TableSpec{Name: name, PartitionBy: f.partitionBy, Properties: map[string]string{}}
	types := map[string]string{}
	for _, c := range firn.DefaultColumns() {
		types[c.Name] = c.Type
	}
	for _, text := range f.columns {
		c, err := parseColumn(text)
		if err != nil {
			return spec, err
		}
		if _, taken := types[c.Name]; taken {
			return spec, usagef("--column %s: there is a column %q already", text, c.Name)
		}
		types[c.Name] = c.Type
		spec.Columns = append(spec.Columns, c)
	}
	if f.partitionBy != "" && types[f.partitionBy] == "" {
		return spec, unknownColumn("--partition-by", f.partitionBy, types)
	}
	if err := f.indexProperties(spec.Properties, types); err != nil {
		return spec, err
	}
	return spec, f.addValues(spec)
}

// indexProperties adds the table properties that --index and --value-bloom ask for.
func (f createFlags) indexProperties(properties, types map[string]string) error {
	kinds := map[string][]firn.IndexKind{}
	for _, text := range f.indexes {
		column, list, err := parseIndex(text)
		if err != nil {
			return err
		}
		if types[column] == "" {
			return unknownColumn("--index", column, types)
		}
		if types[column] != firn.TypeString {
			return usagef("--index %s: a text index needs a string column, %s is %s; for point look-ups use --value-bloom %s",
				text, column, types[column], column)
		}
		kinds[column] = append(kinds[column], list...)
	}
	for column, list := range kinds {
		if slices.Contains(list, firn.IndexNone) && len(list) > 1 {
			return usagef("--index %s: none cannot be combined with another index", column)
		}
		key, value := firn.IndexProperty(column, list...)
		properties[key] = value
	}
	for _, column := range f.valueBlooms {
		if types[column] == "" {
			return unknownColumn("--value-bloom", column, types)
		}
		if types[column] == firn.TypeStringMap {
			return usagef("--value-bloom %s: a map cannot have a value bloom filter", column)
		}
		key, value := firn.ValueBloomProperty(column)
		properties[key] = value
	}
	return nil
}

// parseColumn reads name:type.
func parseColumn(text string) (firn.Column, error) {
	name, kind, ok := strings.Cut(text, ":")
	if !ok || name == "" || kind == "" {
		return firn.Column{}, usagef("--column %q: write name:type, such as status:int", text)
	}
	known := []string{
		firn.TypeString, firn.TypeBool, firn.TypeInt, firn.TypeLong, firn.TypeFloat, firn.TypeDouble, firn.TypeTimestamp, firn.TypeDate,
	}
	if !slices.Contains(known, kind) {
		return firn.Column{}, usagef("--column %q: unknown type %q; types are %s", text, kind, strings.Join(known, ", "))
	}
	return firn.Column{Name: name, Type: kind}, nil
}

// parseIndex reads col=bitmap|bloom|none, or several kinds separated by commas.
func parseIndex(text string) (string, []firn.IndexKind, error) {
	column, list, ok := strings.Cut(text, "=")
	if !ok || column == "" || list == "" {
		return "", nil, usagef("--index %q: write col=bitmap, col=bloom, col=bitmap,bloom or col=none", text)
	}
	var kinds []firn.IndexKind
	for name := range strings.SplitSeq(list, ",") {
		kind := firn.IndexKind(strings.TrimSpace(name))
		switch kind {
		case firn.IndexBitmap, firn.IndexBloom, firn.IndexNone:
			kinds = append(kinds, kind)
		default:
			return "", nil, usagef("--index %q: unknown index %q; there are bitmap, bloom and none", text, name)
		}
	}
	return column, kinds, nil
}

// unknownColumn says that a flag names a column that the table will not have.
func unknownColumn(flag, column string, types map[string]string) error {
	names := make([]string, 0, len(types))
	for name := range types {
		names = append(names, name)
	}
	slices.Sort(names)
	return usagef("%s %s: no such column; the table has %s (add one with --column %s:TYPE)", flag, column, strings.Join(names, ", "), column)
}

func joinKinds(kinds []firn.IndexKind) string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = string(k)
	}
	return strings.Join(texts, ",")
}
