package main

import (
	"strconv"
	"strings"
)

// severity is how bad a level of a log line is.
type severity uint8

const (
	severityUnknown severity = iota
	severityTrace
	severityDebug
	severityInfo
	severityNotice
	severityWarning
	severityError
	severityFatal
)

// severityStyles says how levels look.
var severityStyles = [...]style{
	severityUnknown: plain, severityTrace: styleTrace, severityDebug: styleDebug, severityInfo: styleInfo, severityNotice: styleNotice,
	severityWarning: styleWarning, severityError: styleError, severityFatal: styleFatal,
}

// severityWords are the spellings of levels, in lower case: those of syslog (RFC 5424), klog and glog (one letter), java.util.logging, log4j, Python, Go, PostgreSQL,
// nginx, Windows and OpenTelemetry.
var severityWords = map[string]severity{
	"trace": severityTrace, "trc": severityTrace, "t": severityTrace, "verbose": severityTrace, "v": severityTrace, "finest": severityTrace, "finer": severityTrace,
	"silly": severityTrace, "all": severityTrace,
	"debug": severityDebug, "dbg": severityDebug, "dbug": severityDebug, "deb": severityDebug, "d": severityDebug, "fine": severityDebug, "config": severityDebug,
	"info": severityInfo, "inf": severityInfo, "information": severityInfo, "informational": severityInfo, "i": severityInfo, "log": severityInfo,
	"statement": severityInfo, "detail": severityInfo, "hint": severityInfo, "success": severityInfo, "ok": severityInfo,
	"notice": severityNotice, "note": severityNotice, "n": severityNotice, "audit": severityNotice,
	"warning": severityWarning, "warn": severityWarning, "wrn": severityWarning, "w": severityWarning,
	"error": severityError, "err": severityError, "eror": severityError, "e": severityError, "severe": severityError, "failure": severityError, "fail": severityError,
	"fatal": severityFatal, "ftl": severityFatal, "f": severityFatal, "critical": severityFatal, "crit": severityFatal, "crt": severityFatal, "c": severityFatal,
	"alert": severityFatal, "alrt": severityFatal, "emergency": severityFatal, "emerg": severityFatal, "panic": severityFatal, "dpanic": severityFatal, "pnc": severityFatal,
}

// severityOf understands a level as applications spell it: a word in any case, also with a number behind it (DEBUG2, ERROR+4) or in brackets, or a number: 0 (worst) to 7
// as in syslog, or 10 to 60 by tens (worst) as pino and bunyan write it.
func severityOf(level string) severity {
	const longest = 24 // bytes of a level that is looked at
	if len(level) > longest {
		return severityUnknown
	}
	word := strings.ToLower(strings.Trim(level, " \t[]()<>:"))
	if number, err := strconv.Atoi(word); err == nil {
		return severityOfNumber(number)
	}
	if s, ok := severityWords[word]; ok {
		return s
	}
	return severityWords[strings.TrimRight(word, "0123456789+-")]
}

func severityOfNumber(n int) severity {
	syslog := [...]severity{
		severityFatal, severityFatal, severityFatal, severityError, severityWarning, severityNotice, severityInfo, severityDebug,
	}
	tens := [...]severity{severityUnknown, severityTrace, severityDebug, severityInfo, severityWarning, severityError, severityFatal}
	switch {
	case n >= 0 && n < len(syslog):
		return syslog[n]
	case n >= 10 && n < 10*len(tens):
		return tens[n/10]
	}
	return severityUnknown
}
