package query

import "strings"

// The functions here say how many bytes at the beginning of a text have a certain shape; 0 if it does not begin so. In shapes, 'd' stands for
// a decimal digit, 'h' for a hexadecimal one, and everything else for itself.

// matchShape returns the length of the shape if the text begins with it.
func matchShape(text, shape string) int {
	if len(text) < len(shape) {
		return 0
	}
	for i := range len(shape) {
		switch c := text[i]; shape[i] {
		case 'd':
			if !isDigit(c) {
				return 0
			}
		case 'h':
			if !isHex(c) {
				return 0
			}
		default:
			if c != shape[i] {
				return 0
			}
		}
	}
	return len(shape)
}

// matchShapes returns the length of the first of the shapes that fits.
func matchShapes(text string, shapes ...string) int {
	for _, shape := range shapes {
		if n := matchShape(text, shape); n > 0 {
			return n
		}
	}
	return 0
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

// matchUUID is for 8-4-4-4-12 hexadecimal digits.
func matchUUID(text string) int {
	return matchShape(text, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh")
}

// matchTime is for a date with or without a time of day, or a time of day with seconds, in the manner of ISO 8601.
func matchTime(text string) int {
	date := matchShapes(text, "dddd-dd-dd", "dddd/dd/dd", "dddd.dd.dd", "dd/dd/dddd", "dd-dd-dddd", "dd.dd.dddd")
	if date == 0 {
		if matchShapes(text, "dd:dd:dd", "d:dd:dd") == 0 {
			return 0
		}
		return matchClock(text)
	}
	rest := text[date:]
	if rest == "" || !strings.ContainsRune("Tt _", rune(rest[0])) {
		return date
	}
	if n := matchClock(rest[1:]); n > 0 && endsToken(rest, 1+n) {
		return date + 1 + n
	}
	return date
}

// matchClock is for a time of day, with or without seconds, their fraction, and a zone.
func matchClock(text string) int {
	n := matchShapes(text, "dd:dd:dd", "d:dd:dd")
	if n > 0 {
		n += matchFraction(text[n:])
	} else if n = matchShapes(text, "dd:dd"); n == 0 {
		return 0
	}
	zone := text[n:]
	space := 0
	if strings.HasPrefix(zone, " ") {
		space = 1
	}
	if z := matchShapes(zone[space:], "+dd:dd", "-dd:dd", "+dddd", "-dddd"); z > 0 && endsToken(zone, space+z) {
		return n + space + z
	}
	if space == 0 && matchShapes(zone, "Z", "z") > 0 && endsToken(zone, 1) {
		return n + 1
	}
	return n
}

// matchFraction is for a point or comma and up to nine digits.
func matchFraction(text string) int {
	const most = 9
	if text == "" || text[0] != '.' && text[0] != ',' {
		return 0
	}
	n := 1
	for n < len(text) && n <= most && isDigit(text[n]) {
		n++
	}
	if n == 1 {
		return 0
	}
	return n
}

// matchIPv4 is for four numbers of up to three digits.
func matchIPv4(text string) int {
	at := 0
	for part := range 4 {
		if part > 0 {
			if at >= len(text) || text[at] != '.' {
				return 0
			}
			at++
		}
		digits := 0
		for at < len(text) && isDigit(text[at]) {
			at++
			digits++
		}
		if digits == 0 || digits > 3 {
			return 0
		}
	}
	return at
}

// matchIPv6 is for groups of up to four hexadecimal digits with a colon between them: eight groups, or fewer with one pair of colons. It must
// have a decimal digit.
func matchIPv6(text string) int {
	const most = 8
	at, groups, double, digit, end := 0, 0, false, false, 0
	for at < len(text) {
		start := at
		for at < len(text) && at-start < 4 && isHex(text[at]) {
			digit = digit || isDigit(text[at])
			at++
		}
		if at == start {
			break
		}
		groups, end = groups+1, at
		switch {
		case strings.HasPrefix(text[at:], "::") && !double:
			double = true
			at += 2
			end = at
		case strings.HasPrefix(text[at:], ":"):
			at++
		default:
			at = len(text)
		}
	}
	if !digit || groups > most || groups < most && !double {
		return 0
	}
	return end
}
