package main

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/format"
)

// outputFormat is how rows are printed.
type outputFormat string

// The formats.
const (
	formatJSONL  outputFormat = "jsonl"
	formatCSV    outputFormat = "csv"
	formatTable  outputFormat = "table"
	formatArrow  outputFormat = "arrow"
	formatPretty outputFormat = "pretty"
)

var outputFormats = []outputFormat{formatJSONL, formatCSV, formatTable, formatArrow, formatPretty}

// rowPrinter prints the rows of one answer in one format on standard output. It is not safe for concurrent use. A reader that went away shows as syscall.EPIPE.
type rowPrinter interface {
	// row prints a row. It may be held back until flush or finish.
	row(r firn.Row, place rowPlace) error
	// separator prints a line between rows that are no neighbours, if the format is one for people; programs have the number of the group.
	separator() error
	// flush prints what was held back, because nothing may follow for a while.
	flush() error
	// finish ends the output. It is called once, also after rows that could not be read.
	finish() error
}

// rowPlace says what a row is there for. It is zero unless rows around the hits were asked for.
type rowPlace struct {
	part  string // partHit, or where the row stands to a hit: before or after
	group int    // rows of one group are neighbours
}

const partHit = "hit"

// Columns that rows with a place have behind the others, in the formats that programs read and in tables.
const (
	contextColumn = "_context" // rowPlace.part
	groupColumn   = "_group"   // rowPlace.group
)

// printing says what is printed, and how.
type printing struct {
	format outputFormat
	color  string         // of --color
	fields []format.Field // of the rows
	schema *arrow.Schema  // of the rows
	where  firn.Predicate // what the rows match, to be highlighted; nil: nothing
	names  []string       // of the table's columns: a name in where that is none means a key of attrs
	places bool           // rows come with a rowPlace
}

// chooseFormat decides on the format of rows, if flag is one or empty. Groups are not lines of a log: people get them as a table.
func (a *app) chooseFormat(flag string, groups bool) (outputFormat, error) {
	chosen := outputFormat(flag)
	terminal := a.isTerminal(a.stdout)
	switch {
	case flag != "" && !slices.Contains(outputFormats, chosen):
		return "", usagef("--format %q: there are %s", flag, formatNames())
	case flag != "" && a.json && chosen != formatJSONL:
		return "", usagef("--json and --format %s contradict each other", flag)
	case chosen == formatArrow && terminal:
		return "", usagef("--format arrow is binary and would garble the terminal: write it to a file or a pipe")
	case flag == "" && terminal && !a.json:
		chosen = formatPretty
	case flag == "":
		chosen = formatJSONL
	}
	if groups && chosen == formatPretty {
		chosen = formatTable
	}
	return chosen, nil
}

func formatNames() string {
	var names []string
	for _, f := range outputFormats {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// newRowPrinter returns a printer.
func (a *app) newRowPrinter(p printing) (rowPrinter, error) {
	colored, err := a.colored(p.color)
	if err != nil {
		return nil, err
	}
	out := a.newLines()
	switch p.format {
	case formatCSV:
		return newCSVPrinter(out, p), nil
	case formatTable:
		width, height := 0, 0
		if out.each {
			width, height = a.terminalSize(a.stdout)
		}
		return newTablePrinter(out, p, painter(colored), width, height), nil
	case formatArrow:
		return newArrowPrinter(out, p), nil
	case formatPretty:
		return newPrettyPrinter(out, p, painter(colored), a.localZone()), nil
	default:
		return &jsonPrinter{out: out, places: p.places}, nil
	}
}

// lines is buffered standard output for many rows. A reader that went away shows as syscall.EPIPE, which ends firn quietly.
type lines struct {
	*bufio.Writer
	each bool // it is a terminal: somebody watches
}

func (a *app) newLines() *lines { return newLines(a.stdout, a.isTerminal(a.stdout)) }

func newLines(w io.Writer, each bool) *lines {
	return &lines{Writer: bufio.NewWriterSize(w, 64<<10), each: each}
}

// line writes one line.
func (l *lines) line(text []byte) error {
	if _, err := l.Write(text); err != nil {
		return err
	}
	if err := l.WriteByte('\n'); err != nil {
		return err
	}
	return l.shown()
}

// shown is called after each row.
func (l *lines) shown() error {
	if l.each {
		return l.Flush()
	}
	return nil
}

// jsonPrinter prints each row as a JSON object on a line.
type jsonPrinter struct {
	out    *lines
	places bool
	text   []byte
}

func (p *jsonPrinter) row(r firn.Row, place rowPlace) error {
	p.text = r.AppendJSON(p.text[:0])
	if p.places {
		p.text = p.text[:len(p.text)-1]
		if r.Len() > 0 {
			p.text = append(p.text, ',')
		}
		p.text = append(p.text, `"`+contextColumn+`":"`+place.part+`","`+groupColumn+`":`...)
		p.text = append(strconv.AppendInt(p.text, int64(place.group), 10), '}')
	}
	return p.out.line(p.text)
}

func (p *jsonPrinter) separator() error { return nil }
func (p *jsonPrinter) flush() error     { return p.out.Flush() }
func (p *jsonPrinter) finish() error    { return p.out.Flush() }
