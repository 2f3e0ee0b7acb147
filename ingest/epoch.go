package ingest

// The unit of an epoch number follows from its magnitude: below 1e11 it counts seconds (up to the year 5138), below 1e14 milliseconds
// (from 1973), below 1e17 microseconds, from there on nanoseconds.
const (
	secondDigits = 11
	milliDigits  = 14
	microDigits  = 17
)

// maxExponent bounds the exponent of an epoch number, so that no text makes us count far.
const maxExponent = 400

// parseEpoch reads an epoch number in JSON's number grammar (leading zeros are allowed), for example 1674981522, 1674981522.425293566,
// 1674981522425 or 1.674981522425E9. The arithmetic is decimal and exact.
func parseEpoch(text []byte) (t instant, finer bool, err error) {
	d, ok := parseDecimal(text)
	if !ok {
		return t, false, errTimestampSyntax
	}
	// Shift the point so that the digits before it count microseconds.
	switch {
	case d.point <= secondDigits:
		d.point += 6
	case d.point <= milliDigits:
		d.point += 3
	case d.point <= microDigits:
	default:
		d.point -= 3
	}
	if d.point > 18 { // 1e18 µs is the year 33658
		return t, false, errTimestampRange
	}
	var micros int64
	for i := 0; i < d.point; i++ {
		micros = micros*10 + int64(d.digit(i))
	}
	var nanos int64
	for i := d.point; i < d.point+3; i++ {
		nanos = nanos*10 + int64(d.digit(i))
	}
	below := false
	for i := max(d.point+3, 0); i < d.count(); i++ {
		below = below || d.digit(i) != 0
	}
	if d.negative { // the floor of -(micros + nanos/1000 + below)
		if below {
			nanos++
		}
		micros = -micros
		if nanos > 0 {
			micros--
			nanos = 1000 - nanos
		}
	}
	if micros < minMicros || micros > maxMicros {
		return t, false, errTimestampRange
	}
	return instant{micros: micros, nanos: uint16(nanos)}, below || nanos != 0, nil
}

// A decimal is 0.d0d1d2… x 10^point without leading zeros in its digits. The digits are those of two runs of the text.
type decimal struct {
	negative bool
	whole    []byte
	fraction []byte
	point    int
}

func (d decimal) count() int { return len(d.whole) + len(d.fraction) }

// digit returns a digit by its position; those before the first and after the last are zero.
func (d decimal) digit(i int) byte {
	switch {
	case i < 0 || i >= d.count():
		return 0
	case i < len(d.whole):
		return d.whole[i] - '0'
	}
	return d.fraction[i-len(d.whole)] - '0'
}

func parseDecimal(b []byte) (d decimal, ok bool) {
	if len(b) > 0 && b[0] == '-' {
		d.negative = true
		b = b[1:]
	}
	n := countDigits(b)
	if n == 0 {
		return d, false
	}
	d.whole, b = b[:n], b[n:]
	if len(b) > 0 && b[0] == '.' {
		n = countDigits(b[1:])
		if n == 0 {
			return d, false
		}
		d.fraction, b = b[1:1+n], b[1+n:]
	}
	exponent := 0
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		if exponent, ok = parseExponent(b[1:]); !ok {
			return d, false
		}
		b = nil
	}
	for len(d.whole) > 0 && d.whole[0] == '0' {
		d.whole = d.whole[1:]
	}
	d.point = len(d.whole) + exponent
	if len(d.whole) == 0 {
		for len(d.fraction) > 0 && d.fraction[0] == '0' {
			d.fraction = d.fraction[1:]
			d.point--
		}
	}
	if d.count() == 0 {
		d.point = 0
	}
	return d, len(b) == 0
}

func parseExponent(b []byte) (exponent int, ok bool) {
	negative := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		negative = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 || countDigits(b) != len(b) {
		return 0, false
	}
	for _, c := range b {
		exponent = min(exponent*10+int(c-'0'), maxExponent)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, true
}

func countDigits(b []byte) int {
	n := 0
	for n < len(b) && b[n]-'0' <= 9 {
		n++
	}
	return n
}
