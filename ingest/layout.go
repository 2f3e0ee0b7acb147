package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/firnlog/firn/catalog"
	"github.com/firnlog/firn/format"
)

// nullSegment stands for a null in a path, as in Hive's layout. A path is only a name: what counts is the value in the metadata.
const nullSegment = "__HIVE_DEFAULT_PARTITION__"

// maxSegment bounds the part of a path that comes from a value, since file systems bound names to 255 bytes.
const maxSegment = 120

// values returns the partition's values by the names of the partition fields, as the catalog wants them.
func (p partition) values(plan *plan) map[string]any {
	values := map[string]any{catalog.PartitionDay: p.day}
	if plan.partition >= 0 {
		values[plan.schema.Fields[plan.partition].Name] = p.value(plan)
	}
	return values
}

// value returns the value of the table's partition column: nil, string, bool, int32, int64, float32 or float64.
func (p partition) value(plan *plan) any {
	if p.null {
		return nil
	}
	switch plan.schema.Fields[plan.partition].Type {
	case format.TypeString:
		return p.text
	case format.TypeBool:
		return p.fixed != 0
	case format.TypeInt32, format.TypeDate:
		return int32(p.fixed)
	case format.TypeFloat32:
		return float32(math.Float64frombits(p.fixed))
	case format.TypeFloat64:
		return math.Float64frombits(p.fixed)
	}
	return int64(p.fixed)
}

// folder returns where the partition's files lie below the data folder of the table: "log_date=2026-11-22" or "log_date=2026-11-22/app_id=web".
func (p partition) folder(plan *plan) string {
	day := time.Unix(int64(p.day)*86400, 0).UTC().Format(time.DateOnly)
	folder := catalog.PartitionDay + "=" + day
	if plan.partition < 0 {
		return folder
	}
	segment := nullSegment
	if value := p.value(plan); value != nil {
		segment = url.QueryEscape(fmt.Sprint(value))
	}
	if len(segment) > maxSegment {
		sum := sha256.Sum256([]byte(segment))
		segment = strings.TrimRight(segment[:maxSegment-33], "%") + "~" + hex.EncodeToString(sum[:16])
	}
	return folder + "/" + url.QueryEscape(plan.schema.Fields[plan.partition].Name) + "=" + segment
}
