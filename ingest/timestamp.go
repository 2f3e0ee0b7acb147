package ingest

import "errors"

// An instant is a point in time between the years 0001 and 9999: microseconds since 1970-01-01T00:00:00Z, which is what the table
// stores, and the nanoseconds 0..999 above them, which only order rows.
type instant struct {
	micros int64
	nanos  uint16
}

// The first and the last microsecond that a table can hold: 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z.
const (
	minMicros = -62135596800 * 1_000_000
	maxMicros = 253402300800*1_000_000 - 1
)

const (
	microsPerDay = 86400 * 1_000_000
	nanosPerDay  = 86400 * 1_000_000_000
)

var (
	errTimestampSyntax = errors.New("neither an RFC 3339 time nor a number of seconds, milli-, micro- or nanoseconds since 1970")
	errTimestampRange  = errors.New("outside the years 0001 to 9999")
)

// day returns the UTC day of the instant as days since 1970-01-01 (negative before), and the nanoseconds since its start.
func (t instant) day() (day int32, nanos uint64) {
	d := t.micros / microsPerDay
	rest := t.micros % microsPerDay
	if rest < 0 {
		d--
		rest += microsPerDay
	}
	return int32(d), uint64(rest)*1000 + uint64(t.nanos)
}

// instantOf builds an instant from Unix seconds and the nanoseconds 0..999,999,999 above them.
func instantOf(seconds int64, nanos uint32) (instant, error) {
	if seconds < minMicros/1_000_000 || seconds > maxMicros/1_000_000 {
		return instant{}, errTimestampRange
	}
	return instant{micros: seconds*1_000_000 + int64(nanos/1000), nanos: uint16(nanos % 1000)}, nil
}

// parseTimestamp reads the text of a timestamp: RFC 3339 with some latitude (see parseCivil), or an epoch number (see parseEpoch).
// finer says that digits below the microsecond were there and are not all zero: the stored value is the floor.
func parseTimestamp(text []byte) (t instant, finer bool, err error) {
	if len(text) > 7 && text[4] == '-' && text[7] == '-' { // no number has these
		return parseCivil(text)
	}
	return parseEpoch(text)
}

// parseCivil reads 2006-01-02T15:04:05[.digits][zone]. T may be t or a space, the point may be a comma (as Python logs), and the zone
// is Z, z, UTC, GMT, +hh:mm, +hhmm, +hh (or with a minus), after an optional space; without a zone the time is UTC. The second
// may be 60 (a leap second), which is the second after 59.
func parseCivil(b []byte) (t instant, finer bool, err error) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[13] != ':' || b[16] != ':' || (b[10] != 'T' && b[10] != ' ' && b[10] != 't') {
		return t, false, errTimestampSyntax
	}
	century, e1 := twoDigits(b[0], b[1])
	yy, e2 := twoDigits(b[2], b[3])
	month, e3 := twoDigits(b[5], b[6])
	day, e4 := twoDigits(b[8], b[9])
	hour, e5 := twoDigits(b[11], b[12])
	minute, e6 := twoDigits(b[14], b[15])
	second, e7 := twoDigits(b[17], b[18])
	if e1|e2|e3|e4|e5|e6|e7 > 9 {
		return t, false, errTimestampSyntax
	}
	year := century*100 + yy
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60 {
		return t, false, errTimestampSyntax
	}
	if year == 0 {
		return t, false, errTimestampRange
	}
	rest := b[19:]
	var nanos uint32
	if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') {
		var n int
		nanos, finer, n = parseFraction(rest[1:])
		if n == 0 {
			return t, false, errTimestampSyntax
		}
		rest = rest[1+n:]
	}
	seconds := civilDays(int(year), int(month), int(day))*86400 + int64(hour)*3600 + int64(minute)*60 + int64(second)
	if len(rest) != 1 || rest[0] != 'Z' {
		offset, ok := parseZone(rest)
		if !ok {
			return t, false, errTimestampSyntax
		}
		seconds -= offset
	}
	t, err = instantOf(seconds, nanos)
	return t, finer || t.nanos != 0, err
}

// twoDigits returns the number that two digits spell, and a value above 9 if one of them is no digit.
func twoDigits(tens, ones byte) (value uint32, check byte) {
	tens -= '0'
	ones -= '0'
	if tens > 9 || ones > 9 {
		return 0, 255
	}
	return uint32(tens)*10 + uint32(ones), 0
}

// parseFraction reads the digits after the point: the nanoseconds, whether there was anything finer, and how many digits there were.
func parseFraction(b []byte) (nanos uint32, finer bool, n int) {
	for n < len(b) && b[n]-'0' <= 9 {
		switch {
		case n < 9:
			nanos = nanos*10 + uint32(b[n]-'0')
		case b[n] != '0':
			finer = true
		}
		n++
	}
	for i := n; i < 9; i++ {
		nanos *= 10
	}
	return nanos, finer, n
}

// parseZone reads a zone and returns its offset east of UTC in seconds.
func parseZone(b []byte) (offset int64, ok bool) {
	if len(b) > 1 && b[0] == ' ' {
		b = b[1:]
	}
	switch string(b) {
	case "", "Z", "z", "UTC", "GMT":
		return 0, true
	}
	sign := int64(1)
	switch b[0] {
	case '+':
	case '-':
		sign = -1
	default:
		return 0, false
	}
	var h, m uint32
	var e1, e2 byte
	switch {
	case len(b) == 6 && b[3] == ':':
		h, e1 = twoDigits(b[1], b[2])
		m, e2 = twoDigits(b[4], b[5])
	case len(b) == 5:
		h, e1 = twoDigits(b[1], b[2])
		m, e2 = twoDigits(b[3], b[4])
	case len(b) == 3:
		h, e1 = twoDigits(b[1], b[2])
	default:
		return 0, false
	}
	if e1|e2 > 9 || h > 23 || m > 59 {
		return 0, false
	}
	return sign * int64(h*3600+m*60), true
}

func daysIn(year, month uint32) uint32 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// civilDays counts the days from 1970-01-01 to a date of the proleptic Gregorian calendar, with years that start in March so that the
// leap day comes last (H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil).
func civilDays(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return int64(era)*146097 + int64(dayOfEra) - 719468
}
