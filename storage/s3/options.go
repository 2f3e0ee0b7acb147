package s3

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// PathStyle says where the bucket's name stands in the addresses of requests.
type PathStyle string

// The values of PathStyle.
const (
	// PathStyleAuto is PathStyleOn where the bucket cannot be a part of the host name: the endpoint is an IP address, localhost or a
	// host name without a dot, or the bucket's name is no DNS label (with TLS: has a dot). Elsewhere it is PathStyleOff.
	PathStyleAuto PathStyle = ""
	// PathStyleOn is http://host/bucket/key, which servers other than AWS prefer.
	PathStyleOn PathStyle = "on"
	// PathStyleOff is http://bucket.host/key, which AWS wants.
	PathStyleOff PathStyle = "off"
)

// Options say how a bucket is reached. The zero value works: what is not set comes from where the AWS tools look for it, which is the
// AWS_* environment variables (also AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3), the files ~/.aws/config and ~/.aws/credentials, and the
// roles of containers and machines.
type Options struct {
	// Endpoint is the server's address, such as "http://127.0.0.1:9000"; without a scheme it is https, or http for localhost and IP
	// addresses. Default: the environment's, or that of AWS in Region.
	Endpoint string
	// Region is the bucket's. Default: the environment's or the profile's, or us-east-1.
	Region string
	// Profile names a section of the files in ~/.aws. Default: AWS_PROFILE, or "default".
	Profile string
	// PathStyle says where the bucket's name stands in addresses.
	PathStyle PathStyle

	// Anonymous sends requests without a signature, for public buckets.
	Anonymous bool
	// AccessKeyID, SecretAccessKey and SessionToken (for temporary credentials) are used instead of the environment's.
	AccessKeyID, SecretAccessKey, SessionToken string
	// CredentialsProvider is used instead of the above. It is asked again when its credentials expire, by their own time or because
	// the server says so.
	CredentialsProvider aws.CredentialsProvider

	// SSE asks the server to encrypt new objects: "AES256" or "aws:kms". Default: as the bucket is configured.
	SSE string
	// SSEKMSKeyID names the key for "aws:kms". Default: the account's.
	SSEKMSKeyID string
	// StorageClass of new objects, such as "STANDARD_IA". Default: the bucket's. Archive classes cannot be read by searches.
	StorageClass string

	// RequestTimeout is how long an attempt of a request may go without a byte sent or received (default 20 s). Then it is given up
	// and made again; of a body, only the rest.
	RequestTimeout time.Duration
	// MaxAttempts bounds how often a request is made (default: AWS_MAX_ATTEMPTS, or 10, which with the pauses between them is some
	// 20 s). A read that got ahead since the last attempt starts to count anew.
	MaxAttempts int

	// PartBytes is the size up to which an object is one request, and that of the parts of larger ones (default 8 MiB, at least
	// 5 MiB). An object has at most 10,000 parts. A writer holds one part in memory.
	PartBytes int
	// UploadParallel is how many parts the store uploads at the same time, of all its writers (default 8). Each is held in memory.
	UploadParallel int
	// ReadParallel is how many requests a read of more than 16 MiB is cut into, to be made at the same time (default 4; 1 never cuts).
	ReadParallel int

	// UnsafeCreate is for servers without conditional writes (If-None-Match), which otherwise fail with an error that says so: whether
	// a name is taken is then asked before it is written, and of two writers of one name at the same moment the later one wins
	// silently. Names of data files are unique, so that this does not happen by itself, but nothing prevents it either.
	UnsafeCreate bool

	// HTTPClient makes the requests. Default: one with many idle connections, over HTTP/1.1, honouring HTTP_PROXY and AWS_CA_BUNDLE.
	HTTPClient *http.Client
	// Logger is told of retries. Default: none.
	Logger *slog.Logger
	// Now is the clock by which RemoveStale tells the age of uploads. Default: time.Now.
	Now func() time.Time
}

// Limits of the service and defaults.
const (
	minPartBytes          = 5 << 20
	maxPartBytes          = 5 << 30
	maxParts              = 10_000
	maxKeyBytes           = 1024
	defaultPartBytes      = 8 << 20
	defaultUploadParallel = 8
	defaultReadParallel   = 4
	defaultTimeout        = 20 * time.Second
	defaultAttempts       = 10
	defaultRegion         = "us-east-1"
)

// withDefaults fills in what is not set, or says what is wrong.
func (o Options) withDefaults() (Options, error) {
	switch {
	case o.PathStyle != PathStyleAuto && o.PathStyle != PathStyleOn && o.PathStyle != PathStyleOff:
		return o, fmt.Errorf(`path style %q: use "" (automatic), "on" or "off"`, o.PathStyle)
	case (o.AccessKeyID == "") != (o.SecretAccessKey == ""):
		return o, fmt.Errorf("an access key and its secret must be given together")
	case o.SessionToken != "" && o.AccessKeyID == "":
		return o, fmt.Errorf("a session token needs the access key and the secret it belongs to")
	case o.Anonymous && (o.AccessKeyID != "" || o.CredentialsProvider != nil):
		return o, fmt.Errorf("credentials are given, but access shall be anonymous")
	case o.SSE != "" && o.SSE != string(types.ServerSideEncryptionAes256) && o.SSE != string(types.ServerSideEncryptionAwsKms):
		return o, fmt.Errorf(`server-side encryption %q: use "AES256" or "aws:kms"`, o.SSE)
	case o.SSEKMSKeyID != "" && o.SSE != string(types.ServerSideEncryptionAwsKms):
		return o, fmt.Errorf(`a KMS key is given, but the server-side encryption is %q, not "aws:kms"`, o.SSE)
	case o.PartBytes != 0 && (o.PartBytes < minPartBytes || o.PartBytes > maxPartBytes):
		return o, fmt.Errorf("parts of %d bytes: S3 takes %d to %d", o.PartBytes, minPartBytes, maxPartBytes)
	case o.RequestTimeout < 0 || o.MaxAttempts < 0 || o.UploadParallel < 0 || o.ReadParallel < 0:
		return o, fmt.Errorf("negative request timeout, attempts or parallel requests")
	}
	setDefault(&o.PartBytes, defaultPartBytes)
	setDefault(&o.UploadParallel, defaultUploadParallel)
	setDefault(&o.ReadParallel, defaultReadParallel)
	setDefault(&o.RequestTimeout, defaultTimeout)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	return o, nil
}

// setDefault gives a value that is zero its default.
func setDefault[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}
