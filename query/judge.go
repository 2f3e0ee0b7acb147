package query

import (
	"bytes"
	"strings"
)

// facts are what statistics tell about one column over a run of rows. Bounds enclose all values that are neither null nor NaN, and need not
// occur: texts may be cut.
type facts struct {
	min, max any   // int64, float64, string or bool; nil unknown
	rows     int64 // of the run
	nulls    int64 // -1 unknown
}

// judge says what facts about a leaf's column mean for the leaf.
func (l *leaf) judge(f facts) verdict {
	if l.inMap {
		return verdict{some: true}
	}
	noNulls, onlyNulls := f.nulls == 0, f.nulls >= f.rows
	switch {
	case l.kind == leafNull:
		return verdict{all: onlyNulls, some: !noNulls}
	case onlyNulls:
		return verdict{}
	}
	v := verdict{some: true}
	switch l.class {
	case classWhole:
		low, okLow := wholeBound(f.min)
		high, okHigh := wholeBound(f.max)
		v = l.judgeWhole(low, high, okLow, okHigh)
	case classFloat:
		low, okLow := f.min.(float64)
		high, okHigh := f.max.(float64)
		v.some = l.judgeFloat(low, high, okLow, okHigh)
	case classText:
		low, okLow := f.min.(string)
		high, okHigh := f.max.(string)
		v = l.judgeText(low, high, okLow, okHigh)
	}
	v.all = v.all && noNulls
	return v
}

func wholeBound(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func (l *leaf) judgeWhole(low, high int64, okLow, okHigh bool) verdict {
	if l.kind == leafRange {
		return verdict{
			all:  okLow && okHigh && low >= l.whole.low && high <= l.whole.high,
			some: !(okHigh && high < l.whole.low) && !(okLow && low > l.whole.high),
		}
	}
	v := verdict{}
	for n := range l.wholes {
		inside := !(okLow && n < low) && !(okHigh && n > high)
		v.some = v.some || inside
		v.all = v.all || okLow && okHigh && low == n && high == n
	}
	return v
}

// judgeFloat says whether a value within the bounds may be true. Since bounds leave NaN out, they never tell that all are.
func (l *leaf) judgeFloat(low, high float64, okLow, okHigh bool) bool {
	if l.kind == leafRange {
		return !(okHigh && (high < l.float.low || l.float.openLow && high == l.float.low)) &&
			!(okLow && (low > l.float.high || l.float.openHigh && low == l.float.high))
	}
	for _, f := range l.floats {
		if !(okLow && f < low) && !(okHigh && f > high) {
			return true
		}
	}
	return false
}

func (l *leaf) judgeText(low, high string, okLow, okHigh bool) verdict {
	v := verdict{some: true}
	switch l.kind {
	case leafRange:
		r := l.text
		v.some = !(okHigh && (high < r.low || r.openLow && high == r.low)) &&
			!(okLow && !r.noHigh && (low > r.high || r.openHigh && low == r.high))
		v.all = okLow && okHigh && r.contains([]byte(low)) && r.contains([]byte(high))
	case leafIn:
		v.some = false
		for text := range l.texts {
			inside := !(okLow && text < low) && !(okHigh && text > high)
			v.some = v.some || inside
			v.all = v.all || okLow && okHigh && low == text && high == text
		}
	case leafPrefix:
		needle := string(l.needle)
		v.some = !(okHigh && high < needle) && !(okLow && low > needle && !strings.HasPrefix(low, needle))
		v.all = okLow && okHigh && strings.HasPrefix(low, needle) && strings.HasPrefix(high, needle)
	case leafContains:
		v.all = len(l.needle) == 0 || okLow && okHigh && low == high && bytes.Contains([]byte(low), l.needle)
	}
	return v
}

// boundable says whether minimum, maximum or null counts can tell anything about the leaf.
func (l *leaf) boundable() bool {
	return !l.inMap && (l.kind == leafRange || l.kind == leafIn || l.kind == leafPrefix || l.kind == leafNull)
}
