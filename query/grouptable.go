package query

import (
	"fmt"
	"sync/atomic"

	"github.com/firnlog/firn/format"
)

// groupTable holds groups and what their aggregates know. It belongs to one goroutine.
type groupTable struct {
	plan   *groupPlan
	coders []*coder     // of the columns that are grouped by
	levels []groupLevel // level i numbers the lists of the first i+2 codes
	groups int
	states []aggregateState
	budget *memoryBudget

	perGroup int64 // bytes
	charged  int64 // bytes of coders and groups

	ids, codes []uint32 // memory
}

// groupLevel numbers pairs of a number of the level before and the code of one more column.
type groupLevel struct {
	pairs        map[uint64]uint32
	before, code []uint32 // by number
	recent       [256]struct {
		key    uint64
		number uint32 // plus 1
	}
}

// memoryBudget bounds the memory of all tables of an answer.
type memoryBudget struct {
	limit int64
	used  atomic.Int64
}

// charge takes memory, and returns an error if there is none left.
func (b *memoryBudget) charge(n int64) error {
	if n > 0 && b.used.Add(n) > b.limit {
		return &limitError{fmt.Sprintf("the memory limit of %d bytes for groups and distinct values was reached", b.limit)}
	}
	return nil
}

func newGroupTable(plan *groupPlan, budget *memoryBudget) *groupTable {
	t := &groupTable{plan: plan, budget: budget}
	for i, in := range plan.inputs[:plan.groups] {
		t.coders = append(t.coders, newCoder(in.column.field.Type, in.bucket))
		if i > 0 {
			t.levels = append(t.levels, groupLevel{pairs: map[uint64]uint32{}})
		}
	}
	for _, a := range plan.aggregates {
		state := newAggregateState(a.aggregate, plan.typeOf(a))
		t.states = append(t.states, state)
		t.perGroup += state.bytesOfGroup()
	}
	if plan.groups == 0 {
		t.setGroups(1)
	}
	return t
}

func (t *groupTable) setGroups(n int) {
	if n == t.groups {
		return
	}
	t.groups = n
	for _, s := range t.states {
		s.resize(n)
	}
}

// number returns the number of a pair.
func (l *groupLevel) number(before, code uint32) uint32 {
	key := uint64(before)<<32 | uint64(code)
	slot := &l.recent[key*0x9E3779B97F4A7C15>>56]
	if slot.number == 0 || slot.key != key {
		n, ok := l.pairs[key]
		if !ok {
			n = uint32(len(l.code))
			l.pairs[key] = n
			l.before, l.code = append(l.before, before), append(l.code, code)
		}
		slot.key, slot.number = key, n+1
	}
	return slot.number - 1
}

// count returns how many groups there are by now.
func (t *groupTable) count() int {
	switch {
	case len(t.coders) == 0:
		return 1
	case len(t.levels) == 0:
		return len(t.coders[0].values)
	}
	return len(t.levels[len(t.levels)-1].code)
}

// settle makes room for new groups, and charges for them.
func (t *groupTable) settle(grown int64) error {
	t.setGroups(t.count())
	const pairBytes = 48
	bytes := int64(t.groups) * t.perGroup
	for i := range t.levels {
		bytes += int64(len(t.levels[i].code)) * pairBytes
	}
	for _, c := range t.coders {
		bytes += c.bytes
	}
	more := bytes - t.charged
	t.charged = bytes
	return t.budget.charge(more + grown)
}

// groupOf returns the group of values that are rounded already.
func (t *groupTable) groupOf(values []scalar) (uint32, error) {
	id := t.find(values)
	return id, t.settle(0)
}

// find returns the number of a group, for which there may be no room yet.
func (t *groupTable) find(values []scalar) (id uint32) {
	for i, v := range values {
		code := t.coders[i].code(v)
		if i == 0 {
			id = code
		} else {
			id = t.levels[i-1].number(id, code)
		}
	}
	return id
}

// groupsOf returns the groups of rows of a batch, by the columns that are grouped by. The result is valid until the next call.
func (t *groupTable) groupsOf(columns []*format.Column, rows []int32) ([]uint32, error) {
	t.ids, t.codes = resized(t.ids, len(rows)), resized(t.codes, len(rows))
	if len(columns) == 0 {
		clear(t.ids)
		return t.ids, nil
	}
	t.coders[0].codes(columns[0], rows, t.ids)
	for i, c := range columns[1:] {
		t.coders[i+1].codes(c, rows, t.codes)
		level := &t.levels[i]
		lastID, lastCode, number := ^uint32(0), uint32(0), uint32(0)
		for j, id := range t.ids {
			if code := t.codes[j]; id != lastID || code != lastCode {
				lastID, lastCode, number = id, code, level.number(id, code)
			}
			t.ids[j] = number
		}
	}
	return t.ids, t.settle(0)
}

// same returns a list of n times the same group.
func (t *groupTable) same(group uint32, n int) []uint32 {
	t.ids = resized(t.ids, n)
	for i := range t.ids {
		t.ids[i] = group
	}
	return t.ids
}

// valuesOf returns the values that a group stands for.
func (t *groupTable) valuesOf(group uint32) []scalar {
	values := make([]scalar, len(t.coders))
	for i := len(t.coders) - 1; i > 0; i-- {
		level := &t.levels[i-1]
		values[i] = t.coders[i].values[level.code[group]]
		group = level.before[group]
	}
	if len(values) > 0 {
		values[0] = t.coders[0].values[group]
	}
	return values
}

// merge adds the groups of another table. It takes no more memory than that one does, and so is not charged.
func (t *groupTable) merge(from *groupTable) {
	groups := make([]uint32, from.groups)
	for i := range groups {
		groups[i] = t.find(from.valuesOf(uint32(i)))
	}
	t.setGroups(t.count())
	for i, s := range t.states {
		s.merge(from.states[i], groups)
	}
}
