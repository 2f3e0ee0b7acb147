package format

import "fmt"

// checkColumn checks that the vectors of c are what a field of this kind needs for rows rows.
func checkColumn(f Field, c *Column, rows int) error {
	switch f.Type {
	case TypeString:
		if len(c.Texts) != rows {
			return fmt.Errorf("%d texts for %d rows", len(c.Texts), rows)
		}
		if f.Required {
			for i, t := range c.Texts {
				if t == nil {
					return fmt.Errorf("row %d is null, but the column is required", i)
				}
			}
		}
		return nil
	case TypeStringMap:
		return checkEntries(&c.Entries, rows)
	}
	n := len(c.Ints)
	switch f.Type {
	case TypeFloat32, TypeFloat64:
		n = len(c.Floats)
	case TypeBool:
		n = len(c.Bools)
	}
	if n != rows {
		return fmt.Errorf("%d values for %d rows", n, rows)
	}
	if c.Valid != nil && len(c.Valid) != rows {
		return fmt.Errorf("%d validity flags for %d rows", len(c.Valid), rows)
	}
	if f.Required {
		for i, valid := range c.Valid {
			if !valid {
				return fmt.Errorf("row %d is null, but the column is required", i)
			}
		}
	}
	return nil
}

func checkEntries(e *Entries, rows int) error {
	if len(e.Offsets) != rows+1 {
		return fmt.Errorf("%d offsets for %d rows", len(e.Offsets), rows)
	}
	if len(e.Keys) != len(e.Values) {
		return fmt.Errorf("%d keys and %d values", len(e.Keys), len(e.Values))
	}
	if rows >= 0 && e.Offsets[0] < 0 || int(e.Offsets[rows]) > len(e.Keys) {
		return fmt.Errorf("offsets %d to %d for %d entries", e.Offsets[0], e.Offsets[rows], len(e.Keys))
	}
	for i := range rows {
		if e.Offsets[i] > e.Offsets[i+1] {
			return fmt.Errorf("offsets descend at row %d", i)
		}
	}
	for i := e.Offsets[0]; i < e.Offsets[rows]; i++ {
		if e.Keys[i] == nil {
			return fmt.Errorf("entry %d has a null key", i)
		}
	}
	return nil
}
