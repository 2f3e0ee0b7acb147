package ingest

// Reasons for which a line or row is set aside. They are the keys of Report.Reasons.
const (
	ReasonSyntax       = "broken JSON"
	ReasonNotObject    = "not a JSON object"
	ReasonDepth        = "nested too deeply"
	ReasonNoTimestamp  = "no timestamp"
	ReasonBadTimestamp = "unreadable timestamp"
	ReasonRange        = "timestamp out of range"
	ReasonRequired     = "required column without a value"
	ReasonTooLong      = "line too long"
)

// RejectError says that one line or row was set aside. The Writer is unharmed: carry on with the next one.
type RejectError struct {
	Reason string // one of the Reason constants
	Detail string // what exactly is wrong and where; may be empty
}

func (e *RejectError) Error() string {
	if e.Detail == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Detail
}

// Reject is a line that Load has set aside.
type Reject struct {
	Name   string // of the input
	Line   int64  // number of the line, from 1
	Reason string // one of the Reason constants
	Detail string
	// Text is the line without its end; for a line that is too long, its beginning. It is valid during the call only.
	Text []byte
}
