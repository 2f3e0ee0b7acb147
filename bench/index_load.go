package main

import (
	"fmt"
	"os"
	"slices"
)

// Targets of a load.
const (
	loadRatioTarget = 1.5
	loadRateTarget  = 60 // MB of JSON per CPU-second, with both indexes
)

// loadCost is what loading one corpus costs, by how it is indexed: CPU seconds of the firn process, the median of the repetitions.
type loadCost struct {
	Corpus    string             `json:"corpus"`
	JSONBytes int64              `json:"json_bytes"`
	CPU       map[string]float64 `json:"cpu_seconds"`
	PeakRSS   map[string]int64   `json:"peak_rss_bytes"`
	Reps      int                `json:"repetitions"`
}

// ratio is the CPU of a load relative to one without any index.
func (c loadCost) ratio(index string) float64 { return c.CPU[index] / c.CPU["none"] }

// rate is MB of JSON per CPU-second.
func (c loadCost) rate(index string) float64 { return float64(c.JSONBytes) / 1e6 / c.CPU[index] }

// loadCosts loads each large corpus in all ways, by turns.
func (x *indexBench) loadCosts() error {
	reps := max(1, (x.reps-1)/2)
	x.section(fmt.Sprintf("CPU of `firn load` by the indexes of log_msg: seconds of the process, median of %d, taken by turns; ratio to none; MB "+
		"of JSON per CPU-second; peak RSS with both", reps))
	x.row("corpus", "JSON MB", "none", "bloom", "bitmap", "both", "bloom/none", "bitmap/none", "both/none", "target", "none MB/s", "both MB/s",
		"target", "RSS MB")
	sum := loadCost{Corpus: "together", CPU: map[string]float64{}, PeakRSS: map[string]int64{}, Reps: reps}
	for _, c := range x.corpora {
		if c.Bytes < smallCorpus && x.rows == 0 {
			continue
		}
		cost, err := x.loadCost(c, reps)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		x.result.Loads = append(x.result.Loads, cost)
		x.printLoad(cost)
		sum.JSONBytes += cost.JSONBytes
		for _, index := range indexSettings {
			sum.CPU[index] += cost.CPU[index]
			sum.PeakRSS[index] = max(sum.PeakRSS[index], cost.PeakRSS[index])
		}
	}
	if len(x.result.Loads) > 1 {
		x.result.Loads = append(x.result.Loads, sum)
		x.printLoad(sum)
	}
	return nil
}

func (x *indexBench) printLoad(c loadCost) {
	ratio := x.result.atMost("CPU of a load with both indexes / without any, "+c.Corpus, c.ratio("both"), loadRatioTarget, "")
	rate := x.result.atLeast("load with both indexes, "+c.Corpus, c.rate("both"), loadRateTarget, "MB of JSON per CPU-s")
	cells := []any{c.Corpus, mb(c.JSONBytes)}
	for _, index := range indexSettings {
		cells = append(cells, fmt.Sprintf("%.2f", c.CPU[index]))
	}
	for _, index := range indexSettings[1:] {
		cells = append(cells, fmt.Sprintf("%.2f", c.ratio(index)))
	}
	x.row(append(cells, ratio.text(), fmt.Sprintf("%.1f", c.rate("none")), fmt.Sprintf("%.1f", c.rate("both")), rate.text(),
		mb(c.PeakRSS["both"]))...)
}

// loadCost loads one corpus; the repetitions of the ways to index it are interleaved, so that all of them meet the same noise.
func (x *indexBench) loadCost(c corpus, reps int) (loadCost, error) {
	cost := loadCost{Corpus: c.Name, CPU: map[string]float64{}, PeakRSS: map[string]int64{}, Reps: reps}
	all := map[string][]float64{}
	for range reps {
		for _, index := range indexSettings {
			l, err := x.load("load-"+c.Name, index, []string{c.Path})
			if err != nil {
				return cost, err
			}
			cost.JSONBytes = l.InputBytes
			cost.PeakRSS[index] = max(cost.PeakRSS[index], l.PeakRSS)
			all[index] = append(all[index], l.CPUSeconds)
			if err := os.RemoveAll(l.dir); err != nil {
				return cost, err
			}
		}
	}
	for index, list := range all {
		cost.CPU[index] = median(list)
	}
	return cost, nil
}

// median returns the middle of a list, which it sorts; of an even number the upper one.
func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
