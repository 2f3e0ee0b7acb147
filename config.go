package firn

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v3"

	"github.com/firnlog/firn/storage/cache"
	"github.com/firnlog/firn/storage/hdfs"
	"github.com/firnlog/firn/storage/s3"
	"github.com/firnlog/firn/storage/webhdfs"
)

// Config is a configuration file, firn.yaml: where a lake is and how to reach it. Every key may be left out. ${NAME} anywhere in the
// file stands for an environment variable, so that secrets need not be written down; $$ is a dollar sign.
type Config struct {
	Lake        string       `yaml:"lake"`         // location, as for Open
	Catalog     string       `yaml:"catalog"`      // as for the option Catalog
	CatalogName string       `yaml:"catalog_name"` // as for the option CatalogName
	S3          S3Config     `yaml:"s3"`
	HDFS        HDFSConfig   `yaml:"hdfs"`
	Cache       *CacheConfig `yaml:"cache"`
	Memory      MemoryConfig `yaml:"memory"`
}

// S3Config are the settings of a lake on S3; see S3Options.
type S3Config struct {
	Endpoint        string   `yaml:"endpoint"`
	Region          string   `yaml:"region"`
	Profile         string   `yaml:"profile"`
	PathStyle       string   `yaml:"path_style"` // auto, on or off
	Anonymous       bool     `yaml:"anonymous"`
	AccessKeyID     string   `yaml:"access_key_id"`
	SecretAccessKey string   `yaml:"secret_access_key"`
	SessionToken    string   `yaml:"session_token"`
	SSE             string   `yaml:"sse"` // AES256 or aws:kms
	SSEKMSKeyID     string   `yaml:"sse_kms_key_id"`
	RequestTimeout  Duration `yaml:"request_timeout"`
	MaxAttempts     int      `yaml:"max_attempts"`
}

// HDFSConfig are the settings of a lake on HDFS; see HDFSOptions and WebHDFSOptions.
type HDFSConfig struct {
	User        string          `yaml:"user"`
	ConfDir     string          `yaml:"conf_dir"`
	NameNodes   []string        `yaml:"namenodes"`
	WebHDFS     []string        `yaml:"webhdfs"` // HTTP addresses of the namenodes
	Replication int             `yaml:"replication"`
	Kerberos    *KerberosConfig `yaml:"kerberos"`
}

// KerberosConfig says who firn is on a cluster with Kerberos: the principal of a keytab, or a ticket cache.
type KerberosConfig struct {
	Principal        string `yaml:"principal"`
	Keytab           string `yaml:"keytab"`
	TicketCache      string `yaml:"ticket_cache"`
	Krb5Conf         string `yaml:"krb5_conf"`
	ServicePrincipal string `yaml:"service_principal"`
}

// CacheConfig are the settings of the disk cache; see DiskCacheOptions.
type CacheConfig struct {
	Dir     string   `yaml:"dir"`
	Bytes   ByteSize `yaml:"bytes"`
	Objects int      `yaml:"objects"`
	Memory  ByteSize `yaml:"memory"`
}

// MemoryConfig bounds what is kept in memory between searches; see WithCache and WithCacheEntries.
type MemoryConfig struct {
	CacheBytes   ByteSize `yaml:"cache_bytes"`
	CacheEntries int      `yaml:"cache_entries"`
}

// ByteSize is a number of bytes, in YAML a number or a text such as 20GiB or 500MB.
type ByteSize int64

// UnmarshalYAML reads a ByteSize.
func (b *ByteSize) UnmarshalYAML(node *yaml.Node) error {
	n, err := humanize.ParseBytes(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil || n > 1<<62 {
		return fmt.Errorf("line %d: %q is no size; write a number of bytes, or 20GiB", node.Line, node.Value)
	}
	*b = ByteSize(n)
	return nil
}

// Duration is a time.Duration, in YAML a text such as 30s.
type Duration time.Duration

// UnmarshalYAML reads a Duration.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := time.ParseDuration(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil || parsed < 0 {
		return fmt.Errorf("line %d: %q is no duration; write 30s or 2m", node.Line, node.Value)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalYAML writes a Duration.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// ReadConfig reads a configuration file. An unknown key is an error, and so is a variable that is not set.
func ReadConfig(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := parseConfig(text, os.LookupEnv)
	if err != nil {
		return Config{}, fmt.Errorf("%w: configuration %s: %w", ErrInvalid, path, err)
	}
	return c, nil
}

func parseConfig(text []byte, lookup func(string) (string, bool)) (Config, error) {
	var c Config
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return c, err
	}
	if root.IsZero() { // an empty file
		return c, nil
	}
	// Variables are put in after parsing, so that no secret can be mistaken for YAML.
	if err := expand(&root, lookup); err != nil {
		return c, err
	}
	if err := checkKeys(&root, reflect.TypeFor[Config]()); err != nil {
		return c, err
	}
	return c, root.Decode(&c)
}

// checkKeys refuses mappings with keys that the type does not have. The decoder can do that too, but not from nodes.
func checkKeys(node *yaml.Node, typ reflect.Type) error {
	if node.Kind == yaml.DocumentNode {
		return checkKeys(node.Content[0], typ)
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if node.Kind != yaml.MappingNode || typ.Kind() != reflect.Struct {
		return nil // a wrong kind is the decoder's to refuse
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		field, ok := fieldByKey(typ, key.Value)
		if !ok {
			return fmt.Errorf("line %d: %q is not a setting here", key.Line, key.Value)
		}
		if err := checkKeys(node.Content[i+1], field.Type); err != nil {
			return err
		}
	}
	return nil
}

func fieldByKey(typ reflect.Type, key string) (reflect.StructField, bool) {
	for field := range typ.Fields() {
		if field.Tag.Get("yaml") == key {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

var variable = regexp.MustCompile(`\$\$|\$\{[^}]*\}`)

// expand replaces ${NAME} in all scalars below a node.
func expand(node *yaml.Node, lookup func(string) (string, bool)) error {
	for _, child := range node.Content {
		if err := expand(child, lookup); err != nil {
			return err
		}
	}
	if node.Kind != yaml.ScalarNode || !strings.Contains(node.Value, "$") {
		return nil
	}
	var missing error
	node.Value = variable.ReplaceAllStringFunc(node.Value, func(found string) string {
		if found == "$$" {
			return "$"
		}
		name := found[2 : len(found)-1]
		value, ok := lookup(name)
		if !ok {
			missing = fmt.Errorf("line %d: the environment variable %s is not set", node.Line, name)
		}
		return value
	})
	return missing
}

// WithConfig gives the settings of a configuration file, all but its Lake. Options after it win over it.
func WithConfig(c Config) Option {
	return func(o *options) {
		o.catalog, o.catalogName = c.Catalog, c.CatalogName
		o.s3 = s3.Options{
			Endpoint: c.S3.Endpoint, Region: c.S3.Region, Profile: c.S3.Profile, PathStyle: s3.PathStyle(c.S3.PathStyle), Anonymous: c.S3.Anonymous,
			AccessKeyID: c.S3.AccessKeyID, SecretAccessKey: c.S3.SecretAccessKey, SessionToken: c.S3.SessionToken,
			SSE: c.S3.SSE, SSEKMSKeyID: c.S3.SSEKMSKeyID, RequestTimeout: time.Duration(c.S3.RequestTimeout), MaxAttempts: c.S3.MaxAttempts,
		}
		k := KerberosConfig{}
		if c.HDFS.Kerberos != nil {
			k = *c.HDFS.Kerberos
		}
		o.hdfs = hdfs.Options{
			User: c.HDFS.User, ConfDir: c.HDFS.ConfDir, NameNodes: c.HDFS.NameNodes, Replication: c.HDFS.Replication,
			WebHDFS: strings.Join(c.HDFS.WebHDFS, ","),
			Kerberos: hdfs.Kerberos{
				Principal: k.Principal, Keytab: k.Keytab, CCache: k.TicketCache, Krb5Conf: k.Krb5Conf, ServicePrincipal: k.ServicePrincipal,
			},
		}
		o.webhdfs = webhdfs.Options{
			User: c.HDFS.User, ConfDir: c.HDFS.ConfDir, Addresses: c.HDFS.WebHDFS, Replication: c.HDFS.Replication,
			Kerberos: webhdfs.Kerberos{Principal: k.Principal, Keytab: k.Keytab, CCache: k.TicketCache, Krb5Conf: k.Krb5Conf},
		}
		o.cacheBytes, o.cacheEntries = int64(c.Memory.CacheBytes), c.Memory.CacheEntries
		if c.Cache != nil {
			o.diskCache = &cache.Options{Dir: c.Cache.Dir, Bytes: int64(c.Cache.Bytes), Objects: c.Cache.Objects, MemoryBytes: int64(c.Cache.Memory)}
		}
	}
}
