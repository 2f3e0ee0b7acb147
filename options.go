package firn

import (
	"log/slog"
	"time"

	"github.com/firnlog/firn/storage/cache"
	"github.com/firnlog/firn/storage/hdfs"
	"github.com/firnlog/firn/storage/s3"
	"github.com/firnlog/firn/storage/webhdfs"
)

// Settings of the storages, for Open. Their zero values follow the environment, as the tools of each storage do.
type (
	// S3Options say how to reach S3 and its likes.
	S3Options = s3.Options
	// HDFSOptions say how to reach HDFS by its own protocol.
	HDFSOptions = hdfs.Options
	// WebHDFSOptions say how to reach HDFS over HTTP.
	WebHDFSOptions = webhdfs.Options
	// DiskCacheOptions bound the disk cache for a remote storage.
	DiskCacheOptions = cache.Options
)

// Option refines Open.
type Option func(*options)

type options struct {
	logger      *slog.Logger
	now         func() time.Time
	parallelism int
	mustExist   bool

	cacheBytes   int64
	cacheEntries int

	catalog     string
	catalogName string
	s3          s3.Options
	hdfs        hdfs.Options
	webhdfs     webhdfs.Options
	diskCache   *cache.Options
}

func newOptions(opts []Option) options {
	o := options{}
	for _, set := range opts {
		set(&o)
	}
	for _, logger := range []**slog.Logger{&o.s3.Logger, &o.hdfs.Logger, &o.webhdfs.Logger} {
		if *logger == nil {
			*logger = o.logger
		}
	}
	if o.diskCache != nil && o.diskCache.Logger == nil {
		o.diskCache.Logger = o.logger
	}
	return o
}

// WithLogger gives the logger that is told about retries, unusable indexes and clean-ups. Without it nothing is logged.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.logger = l } }

// WithClock gives the clock. The default is time.Now.
func WithClock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// WithCache bounds the memory for what is kept between searches: lists of files, opened indexes and file footers (see Lake.CacheStats). The default is 256 MiB.
func WithCache(bytes int64) Option { return func(o *options) { o.cacheBytes = bytes } }

// WithCacheEntries bounds how many lists of files, opened indexes and file footers are kept between searches. The default is 65,536.
func WithCacheEntries(n int) Option { return func(o *options) { o.cacheEntries = n } }

// WithParallelism bounds how many files one search or check works on at once. The default follows the number of CPUs.
func WithParallelism(n int) Option { return func(o *options) { o.parallelism = n } }

// MustExist makes Open return ErrNoLake where there is no lake yet, rather than make one. It is for lakes on local disk with the
// catalog in their directory; elsewhere a lake is there as soon as its catalog is.
func MustExist() Option { return func(o *options) { o.mustExist = true } }

// Catalog says where the lake's tables are listed:
//
//	sqlite:///absolute/path/catalog.db   an embedded database, for the processes of one machine
//	postgres://user@host/database        a database that many machines share
//	https://host/path                    an Iceberg REST catalog
//
// A lake in a directory has a SQLite catalog in that directory by default. A lake on S3 or HDFS has no default: those storages
// cannot swap a pointer atomically, which is what a commit comes down to.
func Catalog(uri string) Option { return func(o *options) { o.catalog = uri } }

// CatalogName is the name of the lake's catalog within a database, so that several lakes can share one. The default is "firn".
func CatalogName(name string) Option { return func(o *options) { o.catalogName = name } }

// WithS3 gives the settings for a lake on s3://.
func WithS3(s S3Options) Option { return func(o *options) { o.s3 = s } }

// WithHDFS gives the settings for a lake on hdfs://.
func WithHDFS(s HDFSOptions) Option { return func(o *options) { o.hdfs = s } }

// WithWebHDFS gives the settings for a lake on webhdfs:// or swebhdfs://.
func WithWebHDFS(s WebHDFSOptions) Option { return func(o *options) { o.webhdfs = s } }

// WithDiskCache keeps what is read from a remote storage on local disk. It does nothing for a lake on local disk.
func WithDiskCache(s DiskCacheOptions) Option {
	return func(o *options) {
		settings := s // options may be used for several lakes
		o.diskCache = &settings
	}
}
