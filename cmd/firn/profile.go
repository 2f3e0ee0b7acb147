package main

import (
	"errors"
	"os"
	"runtime"
	"runtime/pprof"

	"github.com/spf13/pflag"
)

// profiles writes profiles of the program itself, for those who work on it.
type profiles struct {
	cpu, memory string
	cpuFile     *os.File
}

func (p *profiles) flags(flags *pflag.FlagSet) {
	flags.StringVar(&p.cpu, "cpuprofile", "", "write a CPU profile to this file")
	flags.StringVar(&p.memory, "memprofile", "", "write a memory profile to this file")
	for _, name := range []string{"cpuprofile", "memprofile"} {
		_ = flags.MarkHidden(name)
	}
}

func (p *profiles) start() (err error) {
	if p.cpu == "" {
		return nil
	}
	if p.cpuFile, err = os.Create(p.cpu); err != nil {
		return err
	}
	return pprof.StartCPUProfile(p.cpuFile)
}

func (p *profiles) stop() error {
	var err error
	if p.cpuFile != nil {
		pprof.StopCPUProfile()
		err = p.cpuFile.Close()
	}
	if p.memory == "" {
		return err
	}
	f, createErr := os.Create(p.memory)
	if createErr != nil {
		return errors.Join(err, createErr)
	}
	runtime.GC()
	return errors.Join(err, pprof.WriteHeapProfile(f), f.Close())
}
