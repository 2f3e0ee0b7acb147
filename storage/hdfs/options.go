package hdfs

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/firnlog/firn/storage"
)

// Options say how to reach a file system. Its zero value reads HADOOP_CONF_DIR and HADOOP_USER_NAME as Hadoop's own tools do.
type Options struct {
	// User is who we are to a namenode without Kerberos. Default: HADOOP_USER_NAME, else the user of the process.
	User string
	// ConfDir holds core-site.xml and hdfs-site.xml. Default: HADOOP_CONF_DIR, else HADOOP_HOME/etc/hadoop, else none.
	ConfDir string
	// NameNodes are the RPC addresses (host:port) to use instead of those that the URI and ConfDir lead to.
	NameNodes []string
	// Replication of new files. Default: dfs.replication of ConfDir, else what the namenode says.
	Replication int
	// BlockBytes is the size of the blocks of new files that fit in one; larger files get one block as large as they are.
	// Default: what the namenode says. A multiple of 512.
	BlockBytes int64

	// DialTimeout bounds one attempt to connect. Default 5 s.
	DialTimeout time.Duration
	// OperationTimeout bounds one read from a connection to a datanode, after which another replica is asked. Default 2 s. Writing
	// waits five times as long, since an answer comes from all nodes of a pipeline.
	OperationTimeout time.Duration
	// NameNodeTimeout bounds the wait for the answer to one call. Default 20 s.
	NameNodeTimeout time.Duration
	// RetryFor is for how long an operation is tried again while the cluster fails (nodes dead or hung, the namenode restarting or in
	// safe mode). Default 60 s. The caller's context may end it earlier.
	RetryFor time.Duration

	// SpoolBytes of an object being written are kept in memory, the rest in a file in SpoolDir, until Commit. Default 64 MiB.
	SpoolBytes int64
	// SpoolDir is a local directory. Default: that of os.TempDir.
	SpoolDir string
	// IdleReaders is how many open files are kept at most for the next read. Default 256.
	IdleReaders int
	// IdleTimeout is how long unused connections are kept. Default 10 s. Where the blocks of a file lie is remembered six times as long.
	IdleTimeout time.Duration

	// Kerberos is used if it is not zero, or if hadoop.security.authentication is kerberos in ConfDir.
	Kerberos Kerberos

	// WebHDFS is an HTTP address of the namenode (host:port, or http://… or https://…), several separated by commas. Erasure coded
	// files are read and written there. Default: dfs.namenode.http-address (or https-address) of ConfDir.
	WebHDFS string
	// OpenWebHDFS opens the store of the same directory through WebHDFS, when the first erasure coded file or directory is met. It is
	// closed with this store if it has a method Close() error. Nil: such files cannot be used.
	OpenWebHDFS func(ctx context.Context, at WebAddress) (storage.Store, error)

	// Logger gets what was survived: failed nodes, repeated writes. Nil discards.
	Logger *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Kerberos says where the credentials are. With Keytab, Principal is needed; else tickets come from a cache.
type Kerberos struct {
	// Principal is user@REALM; the default realm of krb5.conf if it has none.
	Principal string
	// Keytab is a file with the principal's key.
	Keytab string
	// CCache is a ticket cache as kinit writes. Default: KRB5CCNAME, else /tmp/krb5cc_<uid>.
	CCache string
	// Krb5Conf is the library's configuration. Default: KRB5_CONFIG, else /etc/krb5.conf.
	Krb5Conf string
	// ServicePrincipal is the namenode's, such as nn/_HOST. Default: dfs.namenode.kerberos.principal of ConfDir, else hdfs/_HOST.
	ServicePrincipal string
	// DataTransferProtection is authentication, integrity or privacy. Default: dfs.data.transfer.protection of ConfDir.
	DataTransferProtection string
}

// WebAddress says where and as whom to reach the same directory through WebHDFS.
type WebAddress struct {
	URI       string   // webhdfs://host:port/dir or swebhdfs://host:port/dir
	Addresses []string // host:port of all namenodes, one of which is active
	RootURI   string   // what the store of package hdfs calls the directory
	User      string   // without Kerberos
}

// Defaults of Options.
const (
	defaultDialTimeout      = 5 * time.Second
	defaultOperationTimeout = 2 * time.Second
	defaultNameNodeTimeout  = 20 * time.Second
	defaultRetryFor         = 60 * time.Second
	defaultSpoolBytes       = 64 << 20
	defaultIdleReaders      = 256
	defaultIdleTimeout      = 10 * time.Second

	writePatience = 5 // times OperationTimeout
	metaPatience  = 6 // times IdleTimeout
)

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	setDuration(&o.DialTimeout, defaultDialTimeout)
	setDuration(&o.OperationTimeout, defaultOperationTimeout)
	setDuration(&o.NameNodeTimeout, defaultNameNodeTimeout)
	setDuration(&o.RetryFor, defaultRetryFor)
	setDuration(&o.IdleTimeout, defaultIdleTimeout)
	if o.SpoolBytes <= 0 {
		o.SpoolBytes = defaultSpoolBytes
	}
	if o.SpoolDir == "" {
		o.SpoolDir = os.TempDir()
	}
	if o.IdleReaders <= 0 {
		o.IdleReaders = defaultIdleReaders
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	return o
}

// setDuration sets a duration that is not positive.
func setDuration(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}
