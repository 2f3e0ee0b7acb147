// Package faultstore makes a store fail on purpose: it counts the operations that pass through it and makes the n-th one fail before
// or after it was done, return damaged bytes, or take its time.
//
// A test of what survives a failure runs its work once for n = 0, 1, 2 … with one Fault at operation n, until Fired reports that
// the fault was not reached any more.
package faultstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/firnlog/firn/storage"
)

// ErrInjected is the error of injected failures, unless the Fault brings its own.
var ErrInjected = errors.New("injected storage failure")

// Kind says what an operation does.
type Kind int

// The kinds of operations. Each call of the method of that name counts as one; List counts when its iteration begins. Abort is not
// counted and never fails by injection, since it is what cleans up after failures.
const (
	Stat Kind = iota
	ReadAt
	ReadTail
	Create
	Write
	Commit
	List
	Delete
)

// String returns the name of the method.
func (k Kind) String() string {
	return [...]string{"Stat", "ReadAt", "ReadTail", "Create", "Write", "Commit", "List", "Delete"}[k]
}

// Op is one operation on the store.
type Op struct {
	Number int64 // operations counted before it
	Kind   Kind
	Name   string // of the object; for List the prefix
}

// Mode says what a fault does to an operation.
type Mode int

const (
	// FailBefore returns the error and does nothing.
	FailBefore Mode = iota
	// FailAfter does the operation and returns the error all the same: its outcome is unknown to the caller.
	FailAfter
	// Truncate makes the object look as if it ended at Fault.Keep of its size. It applies to Stat, ReadAt and ReadTail.
	Truncate
	// FlipBit inverts one bit of what was read, chosen by Fault.Seed and the operation's number. It applies to ReadAt and ReadTail.
	FlipBit
	// Delay waits for Fault.Delay, or until the context ends, and then does the operation.
	Delay
)

// Forever as Fault.Times keeps a fault active from Fault.At on, as when the disk is gone.
const Forever = -1

// Fault makes some operations fail. The zero value fails the first one.
type Fault struct {
	Mode  Mode
	Match func(Op) bool // which operations it counts and applies to; nil: all
	At    int64         // how many matching operations it lets pass first
	Times int64         // how many matching operations it hits from there on; 0 means one, Forever all
	Err   error         // for FailBefore and FailAfter; nil: ErrInjected. What is returned wraps it.
	Keep  float64       // for Truncate: the part of the object that is left, 0 to below 1
	Seed  uint64        // for FlipBit
	Delay time.Duration // for Delay
}

// armed is a fault and how often it was matched and hit.
type armed struct {
	Fault
	matched, hit int64
}

// Store passes operations on to an inner store, some of them with faults. Make one with New.
type Store struct {
	inner storage.Store

	mu     sync.Mutex
	ops    int64
	fired  int64
	faults []*armed
}

var _ storage.Store = (*Store)(nil)

// New returns a store over inner with the given faults.
func New(inner storage.Store, faults ...Fault) *Store {
	s := &Store{inner: inner}
	s.Inject(faults...)
	return s
}

// Inject adds faults. Each counts matching operations from now on. If several apply to one operation, the one injected first does.
func (s *Store) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.faults = append(s.faults, &armed{Fault: f})
	}
}

// Heal removes all faults. The counts stay.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Ops returns how many operations were counted.
func (s *Store) Ops() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops
}

// Fired returns how many operations were hit by a fault.
func (s *Store) Fired() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fired
}

// begin counts an operation and returns the fault that applies to it, or nil.
func (s *Store) begin(kind Kind, name string) (Op, *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := Op{Number: s.ops, Kind: kind, Name: name}
	s.ops++
	var applies *Fault
	for _, f := range s.faults {
		if !f.Mode.appliesTo(kind) || f.Match != nil && !f.Match(op) {
			continue
		}
		position := f.matched
		f.matched++
		if position < f.At || f.Times != Forever && f.hit >= max(f.Times, 1) || applies != nil {
			continue
		}
		f.hit++
		s.fired++
		applies = &f.Fault
	}
	return op, applies
}

// appliesTo reports whether a fault of that mode can hit an operation of that kind.
func (m Mode) appliesTo(kind Kind) bool {
	switch m {
	case Truncate:
		return kind == Stat || kind == ReadAt || kind == ReadTail
	case FlipBit:
		return kind == ReadAt || kind == ReadTail
	default:
		return true
	}
}

// injected returns the fault's error for an operation.
func (f *Fault) injected(op Op, done string) error {
	err := f.Err
	if err == nil {
		err = ErrInjected
	}
	return fmt.Errorf("%s %q, operation %d, %s: %w", op.Kind, op.Name, op.Number, done, err)
}

// run does an operation under the faults that fail or delay it. Faults that damage reads are left to the caller.
func (s *Store) run(ctx context.Context, op Op, f *Fault, do func() error) error {
	if f == nil {
		return do()
	}
	switch f.Mode {
	case FailBefore:
		return f.injected(op, "not done")
	case FailAfter:
		if err := do(); err != nil {
			return err
		}
		return f.injected(op, "done nevertheless")
	case Delay:
		if err := sleep(ctx, f.Delay); err != nil {
			return err
		}
	}
	return do()
}

// sleep waits for d or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// URI implements storage.Store. It is not counted.
func (s *Store) URI(name string) string { return s.inner.URI(name) }

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, name string) (info storage.Info, err error) {
	op, f := s.begin(Stat, name)
	err = s.run(ctx, op, f, func() error {
		info, err = s.inner.Stat(ctx, name)
		return err
	})
	if err != nil {
		return storage.Info{}, err
	}
	if f != nil && f.Mode == Truncate {
		info.Size = f.kept(info.Size)
	}
	return info, nil
}

// Create implements storage.Store.
func (s *Store) Create(ctx context.Context, name string) (w storage.Writer, err error) {
	op, f := s.begin(Create, name)
	err = s.run(ctx, op, f, func() error {
		w, err = s.inner.Create(ctx, name)
		return err
	})
	if err != nil {
		if w != nil {
			err = errors.Join(err, w.Abort())
		}
		return nil, err
	}
	return &writer{store: s, name: name, inner: w, ctx: ctx}, nil
}

// List implements storage.Store.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		op, f := s.begin(List, prefix)
		stopped := false
		err := s.run(ctx, op, f, func() error {
			for info, err := range s.inner.List(ctx, prefix) {
				if err != nil {
					return err
				}
				if !yield(info, nil) {
					stopped = true
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(storage.Info{}, err)
		}
	}
}

// Delete implements storage.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	op, f := s.begin(Delete, name)
	return s.run(ctx, op, f, func() error { return s.inner.Delete(ctx, name) })
}

// Traits returns those of the inner store.
func (s *Store) Traits() storage.Traits { return storage.TraitsOf(s.inner) }
