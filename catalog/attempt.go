package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/apache/iceberg-go/table"
)

// attempt is the catalog that iceberg-go sees during one attempt to commit: it knows the state that the attempt was staged on, so that
// this is not loaded a second time, and the files that have to be durable first.
type attempt struct {
	backend backend
	base    *table.Table
	written func() error
	now     func() time.Time
}

// LoadTable implements table.CatalogIO. iceberg-go calls it where a table's properties tell it to retry by itself.
func (a *attempt) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	current, err := a.backend.LoadTable(ctx, ident)
	if err == nil {
		a.base = current
	}
	return current, err
}

// CommitTable implements table.CatalogIO.
func (a *attempt) CommitTable(ctx context.Context, ident table.Identifier, requirements []table.Requirement,
	updates []table.Update) (table.Metadata, string, error) {
	updates, err := stampSnapshots(updates, a.base.Metadata(), a.now().Add(a.backend.skew()))
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	return a.backend.commitTable(ctx, a.base, requirements, updates, a.written)
}

// Clocks.
//
// The time of a snapshot must not lie before that of the one before it: the Iceberg libraries refuse a table otherwise, with a minute's
// grace. Writers on several machines have several clocks, and one that is fast for an hour must not stop all others for an hour. So
// a snapshot gets the writer's time, or the time of the table's last change and a millisecond if that is later. Where the catalog is
// a server that looks at its own clock, that clock is taken in place of the writer's if the two disagree.
//
// iceberg-go checks its own clock while it stages a change. A table from the future is therefore staged on as if it had been changed
// just now; what is committed is applied to the table as it is.

// futureGrace is how far ahead of our clock a table may be without that detour.
const futureGrace = 30 * time.Second

// stampSnapshots gives added snapshots times that fit the table.
func stampSnapshots(updates []table.Update, base table.Metadata, now time.Time) ([]table.Update, error) {
	stamped := make([]table.Update, len(updates))
	when := max(now.UnixMilli(), base.LastUpdatedMillis()+1)
	for i, update := range updates {
		stamped[i] = update
		if update.Action() != table.UpdateAddSnapshot {
			continue
		}
		// iceberg-go's type of this update is not exported; its JSON is the Iceberg REST specification's.
		encoded, err := json.Marshal(update)
		if err != nil {
			return nil, err
		}
		var added struct {
			Snapshot *table.Snapshot `json:"snapshot"`
		}
		if err := json.Unmarshal(encoded, &added); err != nil {
			return nil, err
		}
		added.Snapshot.TimestampMs = when
		stamped[i] = table.NewAddSnapshotUpdate(added.Snapshot)
		when++
	}
	return stamped, nil
}

// asOfNow returns the metadata as it would be if the table had been changed a moment ago, if it comes from the future.
func asOfNow(metadata table.Metadata) (table.Metadata, error) {
	now := time.Now().UnixMilli() //nolint:forbidigo // iceberg-go compares with this very clock
	if metadata.LastUpdatedMillis() <= now+futureGrace.Milliseconds() {
		return metadata, nil
	}
	return editMetadata(metadata, func(fields map[string]any) {
		earlier := func(entry map[string]any, key string) {
			number, _ := entry[key].(json.Number)
			if at, err := number.Int64(); err == nil && at > now {
				entry[key] = now
			}
		}
		earlier(fields, "last-updated-ms")
		for _, log := range []string{"snapshot-log", "metadata-log"} {
			for _, entry := range logEntries(fields, log) {
				earlier(entry, "timestamp-ms")
			}
		}
	})
}

// applyUpdates returns the metadata with the updates, also if the table comes from the future and the updates bring no time of their own.
func applyUpdates(base table.Metadata, updates []table.Update, location string) (table.Metadata, error) {
	past, err := asOfNow(base)
	if err != nil {
		return nil, err
	}
	for _, update := range updates {
		if update.Action() == table.UpdateAddSnapshot {
			past = base
		}
	}
	updated, err := table.UpdateTableMetadata(past, updates, location)
	if err != nil || past == base {
		return updated, err
	}
	times := map[string]any{}
	if _, err := editMetadata(base, func(fields map[string]any) {
		for _, entry := range logEntries(fields, "metadata-log") {
			times[fmt.Sprint(entry["metadata-file"])] = entry["timestamp-ms"]
		}
		times["snapshot-log"] = fields["snapshot-log"]
	}); err != nil {
		return nil, err
	}
	times[location] = base.LastUpdatedMillis()
	return editMetadata(updated, func(fields map[string]any) {
		fields["last-updated-ms"] = base.LastUpdatedMillis() + 1
		if times["snapshot-log"] != nil {
			fields["snapshot-log"] = times["snapshot-log"]
		}
		for _, entry := range logEntries(fields, "metadata-log") {
			if at, ok := times[fmt.Sprint(entry["metadata-file"])]; ok {
				entry["timestamp-ms"] = at
			}
		}
	})
}

// editMetadata changes metadata in its JSON form.
func editMetadata(metadata table.Metadata, edit func(fields map[string]any)) (table.Metadata, error) {
	encoded, err := json.Marshal(metadata)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber() // ids of snapshots do not fit a float
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	edit(fields)
	if encoded, err = json.Marshal(fields); err != nil {
		return nil, err
	}
	return table.ParseMetadataBytes(encoded)
}

func logEntries(fields map[string]any, log string) []map[string]any {
	list, _ := fields[log].([]any)
	entries := make([]map[string]any, 0, len(list))
	for _, item := range list {
		if entry, ok := item.(map[string]any); ok {
			entries = append(entries, entry)
		}
	}
	return entries
}
