package s3

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// hints say what to do about S3 error codes.
var hints = map[string]string{
	"AccessDenied": "check the credentials, and that they are allowed s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, " +
		"and on the bucket s3:ListBucket and s3:ListBucketMultipartUploads",
	"AllAccessDisabled":     "the bucket's owner or provider has disabled all access",
	"EntityTooLarge":        "the server takes no object this large",
	"ExpiredToken":          "the credentials have expired, and no fresh ones were to be had: renew them",
	"InvalidAccessKeyId":    unknownKey,
	"InvalidBucketName":     "correct the bucket in the URI",
	"InvalidObjectState":    "the object is archived: restore it first",
	"InvalidStorageClass":   "choose a storage class that the server has",
	"InvalidToken":          "the session token is not valid: renew the credentials",
	"NoSuchBucket":          "create the bucket, or correct the URI, the region and the endpoint",
	"NoSuchUpload":          "the upload was aborted by somebody else, such as a lifecycle rule: write the object again",
	"QuotaExceeded":         "the storage is full or its quota is used up",
	"RequestTimeTooSkewed":  "this machine's clock differs from the server's: correct it",
	"SignatureDoesNotMatch": "the secret key does not belong to the access key, or a proxy changes the requests: check AWS_SECRET_ACCESS_KEY",
	"SlowDown":              "the server is overloaded: make fewer requests at once, or raise the number of attempts",
	"XAdminUserNotFound":    unknownKey,
	"XMinioStorageFull":     "the storage is full",
}

// unknownKey is the hint for an access key that the server does not know.
const unknownKey = "the server does not know this access key: check AWS_ACCESS_KEY_ID, the profile and the endpoint"

// noConditions is the hint for servers without conditional writes.
const noConditions = "the server seems to lack conditional writes (If-None-Match), on which exclusive creation rests: use one that has them, " +
	"or Options.UnsafeCreate if nothing else ever writes the same names"

// hintFor returns what to do about an error, or "".
func hintFor(err error) string {
	var (
		noCredentials *credentialsError
		dns           *net.DNSError
		verification  *tls.CertificateVerificationError
	)
	response, code := answerOf(err), codeOf(err)
	switch {
	case isCancelled(err):
		return ""
	case errors.As(err, &noCredentials):
		return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile, or ask for anonymous access to a public bucket"
	case errors.Is(err, errStalled):
		return "the server or the network hangs; if it is only slow, raise the request timeout"
	case errors.As(err, &dns):
		return "check the endpoint and the region; if the bucket's name is the first part of the host, the server may want path style"
	case errors.As(err, &verification):
		return "check the endpoint, or name the authority that signed the server's certificate in AWS_CA_BUNDLE"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no server listens there: start it, or correct the endpoint"
	case isWrongRegion(response.status, code):
		if region := regionOf(response.header, err); region != "" {
			return "the bucket is in region " + region + ": set the region (AWS_REGION) to it"
		}
		return "the bucket is in another region: set the region (AWS_REGION)"
	case response.status == http.StatusNotImplemented:
		return noConditions
	case hints[code] != "":
		return hints[code]
	case response.status == http.StatusForbidden:
		return hints["AccessDenied"]
	case response.status == http.StatusInsufficientStorage:
		return "the storage is full"
	}
	return ""
}

// isWrongRegion says whether a server refers to another region.
func isWrongRegion(status int, code string) bool {
	switch code {
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "TemporaryRedirect":
		return true
	}
	return status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect
}

// regionOf finds the right region in an answer that refers to it: a header, or the text of the message.
func regionOf(header http.Header, err error) string {
	if region := header.Get("X-Amz-Bucket-Region"); region != "" {
		return region
	}
	_, rest, ok := strings.Cut(err.Error(), "expecting '")
	region, _, closed := strings.Cut(rest, "'")
	if !ok || !closed {
		return ""
	}
	return region
}
