package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/firnlog/firn/storage"
)

// ErrUnknownOutcome says that a commit failed in such a way that the object may be there, or may still appear: the answer to the
// completing request was lost, and so was every answer to the question what became of it. Nothing may be built on either.
var ErrUnknownOutcome = errors.New("the outcome is unknown")

// verdict says what an error means.
type verdict struct {
	passing       bool // a later attempt may succeed
	doubtful      bool // the server may have done what it was asked
	expired       bool // fresh credentials may help
	skewed        bool // the clock is wrong
	noCredentials bool // there is nothing to sign with
	perhaps       bool // a later attempt may succeed, but more likely not
}

// passingCodes are the S3 error codes of conditions that pass.
var passingCodes = map[string]bool{
	"SlowDown": true, "SlowDownRead": true, "SlowDownWrite": true, "ServiceUnavailable": true, "InternalError": true, "RequestTimeout": true,
	"Throttling": true, "ThrottlingException": true, "ThrottledException": true, "RequestThrottled": true, "RequestThrottledException": true,
	"RequestLimitExceeded": true, "TooManyRequests": true, "TooManyRequestsException": true, "BandwidthLimitExceeded": true,
	"OperationAborted": true, "ConditionalRequestConflict": true, "TransactionInProgressException": true, "Busy": true,
	// Bytes that were changed or lost on their way:
	"BadDigest": true, "IncompleteBody": true, "XAmzContentChecksumMismatch": true, "XAmzContentSHA256Mismatch": true,
}

// verdictOf judges the error of one attempt.
func verdictOf(err error) verdict {
	var noCredentials *credentialsError
	if errors.As(err, &noCredentials) {
		return verdict{noCredentials: true}
	}
	status, code := answerOf(err).status, codeOf(err)
	headless := code == "" || code == "Forbidden" || code == "BadRequest" // an answer to HEAD, which has no body with a code
	switch {
	case status == 0 || status < 300:
		// No answer, or an answer that broke off.
		permanent := isPermanent(err)
		return verdict{passing: !permanent, doubtful: !permanent}
	case code == "PreconditionFailed": // also with status 200, to which the SDK gives another one
		return verdict{}
	case code == "ExpiredToken", code == "ExpiredTokenException", code == "TokenRefreshRequired", code == "RequestExpired", code == "InvalidToken",
		headless && status == http.StatusBadRequest:
		return verdict{expired: true}
	case code == "RequestTimeTooSkewed":
		return verdict{skewed: true}
	case headless && status == http.StatusForbidden:
		return verdict{expired: true, skewed: true}
	case status == http.StatusNotImplemented:
		return verdict{}
	case code == "ExistingObjectIsDirectory", code == "ObjectParentIsFile":
		return verdict{perhaps: true} // of gateways to file systems, also when others make and remove the same directories
	case status >= 500:
		return verdict{passing: true, doubtful: true}
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, passingCodes[code]:
		return verdict{passing: true}
	}
	return verdict{}
}

// isPermanent says whether an error that is no answer of the server will come again.
func isPermanent(err error) bool {
	var (
		serialization *smithy.SerializationError
		params        *smithy.InvalidParamsError
		record        tls.RecordHeaderError
		verification  *tls.CertificateVerificationError
		authority     x509.UnknownAuthorityError
		hostname      x509.HostnameError
		certificate   x509.CertificateInvalidError
		dns           *net.DNSError
		marked        *permanentError
	)
	return errors.As(err, &serialization) || errors.As(err, &params) || errors.As(err, &record) || errors.As(err, &verification) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &certificate) || errors.As(err, &marked) ||
		errors.As(err, &dns) && dns.IsNotFound || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// permanentError marks an error of the store's own as one that will come again.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// answer is what an error keeps of the server's answer.
type answer struct {
	status int // 0: there was no answer
	header http.Header
}

// answerOf returns the answer that an error was made of.
func answerOf(err error) answer {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return answer{}
	}
	return answer{status: response.Response.StatusCode, header: response.Response.Header}
}

// codeOf returns the S3 error code of an error, or "".
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		return api.ErrorCode()
	}
	return ""
}

// isNoKey says whether an error is that no object has a key. (An answer to HEAD does not tell that from a missing bucket.)
func isNoKey(err error) bool {
	code := codeOf(err)
	return code == "NoSuchKey" || code == "NotFound" || code == "" && answerOf(err).status == http.StatusNotFound
}

// isTaken says whether an error is that the condition of a request did not hold.
func isTaken(err error) bool {
	return codeOf(err) == "PreconditionFailed" || answerOf(err).status == http.StatusPreconditionFailed
}

// isBeyond says whether an error is that a range lies outside the object.
func isBeyond(err error) bool {
	return codeOf(err) == "InvalidRange" || answerOf(err).status == http.StatusRequestedRangeNotSatisfiable
}

// callError is what do returns.
type callError struct {
	call
	where    string // URI of the store
	attempts attempts
	cause    error
	sentinel error // storage.ErrNotExist or storage.ErrRange, if it is one of these
}

// failed makes the error of a call.
func (s *Store) failed(c call, a attempts, cause error) error {
	e := &callError{call: c, where: s.uri, attempts: a, cause: cause}
	switch {
	case isNoKey(cause):
		e.sentinel = storage.ErrNotExist
	case isBeyond(cause):
		e.sentinel = storage.ErrRange
	}
	return e
}

// Unwrap returns what errors.Is and errors.As look into.
func (e *callError) Unwrap() []error {
	if e.sentinel != nil {
		return []error{e.sentinel, e.cause}
	}
	return []error{e.cause}
}

// Error says what failed, where, how, and what to do.
func (e *callError) Error() string {
	var b strings.Builder
	b.WriteString(e.op)
	if e.name != "" {
		fmt.Fprintf(&b, " %q", e.name)
	}
	fmt.Fprintf(&b, " in %s: ", e.where)
	if e.sentinel != nil {
		fmt.Fprintf(&b, "%v: ", e.sentinel)
	}
	b.WriteString(e.api + ": " + describe(e.cause))
	if e.attempts.made > 1 {
		fmt.Fprintf(&b, " (after %d attempts)", e.attempts.made)
	}
	if hint := hintFor(e.cause); hint != "" {
		b.WriteString("; " + hint)
	}
	return b.String()
}

// describe prints an answer of the server, or another error, in short.
func describe(err error) string {
	response := answerOf(err)
	if response.status < 300 {
		var op *smithy.OperationError
		if errors.As(err, &op) {
			err = op.Err
		}
		return strings.TrimPrefix(err.Error(), "https response error StatusCode: 0, RequestID: , HostID: , ")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP status %d", response.status)
	var api smithy.APIError
	if errors.As(err, &api) {
		fmt.Fprintf(&b, " %s", api.ErrorCode())
		if message := api.ErrorMessage(); message != "" && message != api.ErrorCode() {
			fmt.Fprintf(&b, ": %s", strings.TrimSuffix(message, "."))
		}
	}
	if id := response.header.Get("X-Amz-Request-Id"); id != "" {
		fmt.Fprintf(&b, " (request id %s)", id)
	}
	return b.String()
}

// isCancelled says whether an error comes from the end of a context.
func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
