package webhdfs

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"os/user"
	"time"
)

// Options say how to reach a cluster. The zero value works for clusters without Kerberos.
type Options struct {
	// User is who we say we are, on clusters without Kerberos: HADOOP_USER_NAME by default, else the user of the operating system.
	User string
	// ConfDir is a directory with core-site.xml and hdfs-site.xml, which name the namenodes of nameservices: HADOOP_CONF_DIR by
	// default, else HADOOP_HOME/etc/hadoop.
	ConfDir string
	// Addresses are the namenodes' HTTP addresses (host:port), in place of what the URI and ConfDir say. With several, the one that
	// is active is found.
	Addresses []string
	// RequestTimeout bounds how long a namenode may be silent; 20 s by default.
	RequestTimeout time.Duration
	// StallTimeout bounds how long a datanode may be silent before another one is asked; 10 s by default. It is prolonged to
	// PatientTimeout where other datanodes were silent too: they may all be waiting for the same one.
	StallTimeout time.Duration
	// PatientTimeout bounds how long a datanode may be silent that is itself waiting for others; 80 s by default. It should be longer
	// than the servers' dfs.client.socket-timeout (60 s), after which they give up on each other.
	PatientTimeout time.Duration
	// MaxAttempts bounds how often a request is tried: 16 by default, which is about 40 s with the pauses between them. Attempts
	// that made progress do not count. A cluster that never answered is given up after 4.
	MaxAttempts int
	// Replication is the number of copies of new files; the directory's or server's default if it is 0. Erasure coded directories have none.
	Replication int
	// BlockBytes is the size of the blocks of new files; the server's default if it is 0.
	BlockBytes int64
	// SpoolBytes is up to what size an object being written is kept in memory until it is uploaded (64 MiB by default); larger ones
	// are kept in a file in SpoolDir (the system's directory for temporary files by default).
	SpoolBytes int64
	SpoolDir   string
	// Kerberos says how to authenticate by SPNEGO. It is taken from the environment if the configuration of Hadoop demands Kerberos.
	Kerberos Kerberos
	// TLS configures the connections of swebhdfs://.
	TLS *tls.Config
	// Dial opens a connection, in place of the network's own; it may translate names of datanodes that do not resolve here.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// RootURI is what URI("") says, in place of the URI given to Open, for a store that stands in for an hdfs:// one.
	RootURI string
	// Logger hears of retries and failovers; nil is nobody.
	Logger *slog.Logger
	// Now is the clock; time.Now by default.
	Now func() time.Time
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	set(&o.User, currentUser)
	setTo(&o.RequestTimeout, 20*time.Second)
	setTo(&o.StallTimeout, 10*time.Second)
	setTo(&o.PatientTimeout, max(80*time.Second, o.StallTimeout))
	setTo(&o.MaxAttempts, 16)
	setTo(&o.SpoolBytes, 64<<20)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: min(o.StallTimeout, o.RequestTimeout)}).DialContext
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	return o
}

// setTo sets a value that is zero.
func setTo[T comparable](value *T, to T) { set(value, func() T { return to }) }

// set sets a value that is zero to what a function returns.
func set[T comparable](value *T, to func() T) {
	var zero T
	if *value == zero {
		*value = to()
	}
}

// currentUser returns the name that Hadoop's own clients would use.
func currentUser() string {
	if name := os.Getenv("HADOOP_USER_NAME"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}
