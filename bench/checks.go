package main

import "fmt"

// check is a measured number beside its target.
type check struct {
	What    string  `json:"what"`
	Value   float64 `json:"value"`
	Target  float64 `json:"target"`
	AtLeast bool    `json:"at_least"` // else: at most
	Unit    string  `json:"unit"`
	Reached bool    `json:"reached"`
}

// text returns target and verdict in a few letters, for the tables.
func (c check) text() string {
	sign := "<="
	if c.AtLeast {
		sign = ">="
	}
	verdict := "no"
	if c.Reached {
		verdict = "yes"
	}
	return fmt.Sprintf("%s %s %s", sign, short(c.Target), verdict)
}

// checks are the numbers of one run that have targets.
type checks struct {
	Checks []check `json:"checks"`
}

// atMost notes a number that should not be above its target.
func (x *checks) atMost(what string, value, target float64, unit string) check {
	return x.note(check{What: what, Value: value, Target: target, Unit: unit, Reached: value <= target})
}

// atLeast notes a number that should not be below its target.
func (x *checks) atLeast(what string, value, target float64, unit string) check {
	return x.note(check{What: what, Value: value, Target: target, AtLeast: true, Unit: unit, Reached: value >= target})
}

func (x *checks) note(c check) check {
	x.Checks = append(x.Checks, c)
	return c
}

// printChecks prints all targets once more, together.
func (b *bench) printChecks(x checks) {
	b.section("Targets")
	missed := 0
	for _, c := range x.Checks {
		sign, verdict := "at most ", "reached"
		if c.AtLeast {
			sign = "at least"
		}
		if !c.Reached {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(b.out, "  %-8s %-78s %9s, %s %s %s\n", verdict, c.What, short(c.Value), sign, short(c.Target), c.Unit)
	}
	fmt.Fprintf(b.out, "%d of %d reached\n", len(x.Checks)-missed, len(x.Checks))
}

// short prints a number with as many digits as matter.
func short(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.4g", v)
	}
}

// percent prints a part of a whole.
func percent(part, whole int64) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(whole))
}
