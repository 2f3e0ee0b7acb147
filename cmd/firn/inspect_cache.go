package main

import (
	"context"
	"time"

	"github.com/firnlog/firn/storage/cache"
)

// cacheReport is what inspect cache prints.
type cacheReport struct {
	Dir         string             `json:"dir"`
	Objects     int                `json:"objects"`
	Blocks      int                `json:"blocks"`
	Bytes       int64              `json:"bytes"`
	Payload     int64              `json:"payload_bytes"`
	Damaged     int                `json:"damaged"`
	Unfinished  int                `json:"unfinished"`
	MostBytes   int64              `json:"bound_bytes"`
	MostBlocks  int64              `json:"bound_blocks"`
	LeastRecent *time.Time         `json:"least_recently_used"`
	MostRecent  *time.Time         `json:"most_recently_used"`
	Stores      []cacheStoreReport `json:"stores"`
	Checked     bool               `json:"checked"` // every byte was read, rather than the headers alone
}

type cacheStoreReport struct {
	URI     string `json:"uri"`
	Objects int    `json:"objects"`
	Blocks  int    `json:"blocks"`
	Bytes   int64  `json:"bytes"`
}

// inspectCache shows a cache directory: the one that is named, or the one that lakes would use.
func (a *app) inspectCache(ctx context.Context, dir string, check bool) error {
	if dir == "" {
		c, err := a.readConfig()
		if err != nil {
			return err
		}
		if dir, err = a.cacheDirectory(c); err != nil {
			return err
		}
		if dir == "" {
			return usagef("the disk cache is off; name a directory")
		}
	}
	found, err := cache.Inspect(ctx, dir, cache.InspectOptions{Verify: check})
	if err != nil {
		return err
	}
	r := cacheReport{
		Dir: found.Dir, Objects: found.Objects, Blocks: found.Blocks, Bytes: found.Bytes, Payload: found.Payload, Damaged: found.Damaged,
		Unfinished: found.Unfinished, MostBytes: found.BoundBytes, MostBlocks: found.BoundBlocks, Checked: check, Stores: []cacheStoreReport{},
	}
	if !found.Oldest.IsZero() {
		r.LeastRecent, r.MostRecent = &found.Oldest, &found.Newest
	}
	for _, s := range found.Stores {
		r.Stores = append(r.Stores, cacheStoreReport{s.URI, s.Objects, s.Blocks, s.Bytes})
	}
	if a.json {
		return a.printJSON(r)
	}
	return a.printCache(r)
}

func (a *app) printCache(r cacheReport) error {
	bound := ""
	if r.MostBytes > 0 {
		bound = " of " + bytesText(r.MostBytes)
	}
	err := a.printf("%s: %s of %s, %s%s; %s damaged, %s unfinished\n", r.Dir, plural(int64(r.Blocks), "block"), plural(int64(r.Objects), "object"),
		bytesText(r.Bytes), bound, countText(int64(r.Damaged)), countText(int64(r.Unfinished)))
	if err != nil || len(r.Stores) == 0 {
		return err
	}
	rows := make([][]string, len(r.Stores))
	for i, s := range r.Stores {
		rows[i] = []string{s.URI, countText(int64(s.Objects)), countText(int64(s.Blocks)), bytesText(s.Bytes)}
	}
	return a.table("STORE\tOBJECTS\tBLOCKS\tSIZE", rows)
}
