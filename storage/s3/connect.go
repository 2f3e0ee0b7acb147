package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// connect makes the client.
func (s *Store) connect(ctx context.Context) error {
	cfg, err := s.loadConfig(ctx)
	if err != nil {
		return fmt.Errorf("load the AWS configuration (AWS_* variables, ~/.aws/config; profile %q): %w", s.options.Profile, err)
	}
	setDefault(&cfg.Region, defaultRegion)
	if s.options.MaxAttempts == 0 {
		s.options.MaxAttempts = cfg.RetryMaxAttempts
		setDefault(&s.options.MaxAttempts, defaultAttempts)
	}
	s.makeHTTPClient(cfg)
	s.makeCredentials(cfg)
	endpoint, err := s.endpoint(cfg)
	if err != nil {
		return err
	}
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.HTTPClient = s.http
		o.Credentials = s.credentials
		if s.options.Anonymous {
			o.Credentials = aws.AnonymousCredentials{}
		}
		if endpoint != nil {
			o.BaseEndpoint = aws.String(endpoint.String())
		}
		o.UsePathStyle = usePathStyle(s.options.PathStyle, endpoint, s.bucket)
		setDefault(&o.AppID, "firn") // in the server's access log
		// Retries are the store's own: they know what was sent, what was received, and which outcomes are in doubt.
		o.Retryer = aws.NopRetryer{}
		o.RetryMaxAttempts = 0
		// Uploads carry a CRC32C that the store computes. Reads are of ranges, for which S3 has none.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.Logger = logging.Nop{}
	})
	return nil
}

// loadConfig reads the environment and the files of the AWS tools.
func (s *Store) loadConfig(ctx context.Context) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if s.options.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(s.options.Profile))
	}
	if s.options.Region != "" {
		load = append(load, config.WithRegion(s.options.Region))
	}
	return config.LoadDefaultConfig(ctx, load...)
}

// endpoint returns the server's address, or nil for AWS.
func (s *Store) endpoint(cfg aws.Config) (*url.URL, error) {
	if s.options.Endpoint != "" {
		return normalEndpoint(s.options.Endpoint)
	}
	// What the environment and the files say is known to a client only.
	found := s3.NewFromConfig(cfg).Options().BaseEndpoint
	if found == nil {
		return nil, nil
	}
	return normalEndpoint(*found)
}

// makeHTTPClient takes the caller's HTTP client, or makes one.
func (s *Store) makeHTTPClient(cfg aws.Config) {
	if s.options.HTTPClient != nil {
		s.http = s.options.HTTPClient
		return
	}
	buildable, ok := cfg.HTTPClient.(*awshttp.BuildableClient) // knows AWS_CA_BUNDLE
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	transport := buildable.GetTransport()
	transport.MaxIdleConns = 0 // no limit but that of each host
	transport.MaxIdleConnsPerHost = 256
	transport.IdleConnTimeout = time.Minute
	transport.DisableCompression = true
	transport.ReadBufferSize = ioBuffer
	transport.WriteBufferSize = ioBuffer
	// Many connections carry more than the streams of one.
	transport.ForceAttemptHTTP2 = false
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	s.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.ownHTTP = true
}

// ioBuffer is the size of a connection's buffers.
const ioBuffer = 64 << 10

// makeCredentials makes the cache of credentials, which can be told to forget them.
func (s *Store) makeCredentials(cfg aws.Config) {
	provider := s.options.CredentialsProvider
	switch {
	case provider != nil:
	case s.options.AccessKeyID != "":
		provider = credentials.NewStaticCredentialsProvider(s.options.AccessKeyID, s.options.SecretAccessKey, s.options.SessionToken)
	default:
		provider = s.ambientCredentials(cfg)
	}
	s.credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		found, err := provider.Retrieve(ctx)
		if err != nil {
			return found, &credentialsError{err}
		}
		s.authorized.Store(true)
		return found, nil
	}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 10 * time.Second })
}

// ambientCredentials are those of the environment, the files, or the machine's role. They are looked for again whenever they are
// asked for again, since another program may have written new ones into the files.
func (s *Store) ambientCredentials(cfg aws.Config) aws.CredentialsProvider {
	var asked atomic.Bool
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		provider := cfg.Credentials
		if asked.Swap(true) {
			fresh, err := s.loadConfig(ctx)
			if err != nil {
				return aws.Credentials{}, err
			}
			provider = fresh.Credentials
		}
		if provider == nil {
			return aws.Credentials{}, fmt.Errorf("none were found")
		}
		return provider.Retrieve(ctx)
	})
}

// credentialsError says that there are no credentials to sign a request with.
type credentialsError struct{ cause error }

func (e *credentialsError) Error() string { return "no credentials: " + e.cause.Error() }
func (e *credentialsError) Unwrap() error { return e.cause }
