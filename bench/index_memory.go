package main

import (
	"fmt"
	"path"
	"runtime"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/index"
	"github.com/firnlog/firn/storage"
)

// memoryTarget is what an opened sidecar may hold until it is used, in percent of its size.
const memoryTarget = 10

// memoryCost is what the opened, unused sidecars of a lake hold in memory. Bytes.
type memoryCost struct {
	Lake         string `json:"lake"`
	Store        string `json:"store"` // how the store presents itself: local, or remote (more is read on opening)
	Sidecars     int    `json:"sidecars"`
	SidecarBytes int64  `json:"sidecar_bytes"`
	Claimed      int64  `json:"size_in_memory"` // what they say
	Heap         int64  `json:"heap"`           // by how much the heap grew
}

// remoteTraits has a store present itself as one behind a network.
type remoteTraits struct{ storage.Store }

func (remoteTraits) Traits() storage.Traits { return storage.RemoteTraits() }

// memory opens all sidecars of each lake and keeps them.
func (x *indexBench) memory() error {
	x.section("Memory of opened sidecars before anything is looked up, relative to their size; heap: growth after garbage collection, all sidecars " +
		"of the lake opened again and again (each at least 200 times together)")
	x.row("lake", "store", "sidecars", "MB", "says MB", "says", "heap MB", "heap", "target")
	for _, name := range append(x.corpusNames(), "mixed") {
		l, err := x.lake(name)
		if err != nil {
			return err
		}
		if l.dir == "" {
			continue
		}
		for _, kind := range []string{"local", "remote"} {
			c, err := x.memoryCost(l, kind)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			x.result.Memory = append(x.result.Memory, c)
			verdict := ""
			heap := 100 * float64(c.Heap) / float64(c.SidecarBytes)
			if _, ok := bitmapTargets[name]; ok {
				verdict = x.result.atMost(fmt.Sprintf("memory of opened sidecars / their size, %s, %s store", name, kind), heap, memoryTarget, "%").text()
			}
			x.row(name, kind, c.Sidecars, mb(c.SidecarBytes), mb(c.Claimed), percent(c.Claimed, c.SidecarBytes), mb(c.Heap),
				fmt.Sprintf("%.2f %%", heap), verdict)
		}
	}
	return nil
}

// heldSidecars is how many sidecars are open at once at least, so that the heap is larger than its noise.
const heldSidecars = 200

func (x *indexBench) memoryCost(l loaded, kind string) (memoryCost, error) {
	c := memoryCost{Lake: l.Corpus, Store: kind}
	return c, x.withLake(l, func(lake *firn.Lake, table *firn.Table) error {
		files, err := table.Files(x.ctx)
		if err != nil {
			return err
		}
		store := lake.Store()
		if kind == "remote" {
			store = remoteTraits{store}
		}
		names := make([]string, len(files))
		ids := make([]index.Identity, len(files))
		for i, f := range files {
			if names[i], err = sidecarName(store, table, f); err != nil {
				return err
			}
			ids[i] = index.Identity{DataFile: path.Base(f.Path), Rows: uint32(f.Rows)}
		}
		var held []*index.Sidecar
		before := heapBytes()
		for len(held) < heldSidecars {
			for i := range files {
				s, err := index.Open(x.ctx, store, names[i], ids[i])
				if err != nil {
					return err
				}
				held = append(held, s)
			}
		}
		rounds := int64(len(held) / len(files))
		c.Heap = (heapBytes() - before - int64(8*cap(held))) / rounds
		for _, s := range held[:len(files)] {
			c.Sidecars++
			c.SidecarBytes += s.Summary().Bytes
			c.Claimed += s.SizeInMemory()
		}
		runtime.KeepAlive(held)
		return nil
	})
}

// heapBytes is the size of all live objects.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC() // what the first one has freed of pools and finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
