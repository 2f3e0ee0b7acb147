package hdfs

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	hadoop "github.com/colinmarc/hdfs/v2"
	"github.com/colinmarc/hdfs/v2/hadoopconf"

	"github.com/firnlog/firn/storage"
)

const (
	scheme      = "hdfs"
	defaultPort = "8020"
)

// place is where a store lies: what its URI and the configuration lead to.
type place struct {
	uri       string   // hdfs://authority/dir, without a trailing slash
	dir       string   // absolute; "/" for the root
	nameNodes []string // host:port
	http      []string // http://host:port or https://host:port of the namenodes, if known
}

// settings are the values of the files in a Hadoop configuration directory.
type settings map[string]string

// loadSettings reads core-site.xml and hdfs-site.xml. A directory given by the caller must have one of them.
func loadSettings(dir string, env func(string) string) (settings, error) {
	given := dir != ""
	if !given {
		dir = env("HADOOP_CONF_DIR")
	}
	if home := env("HADOOP_HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, "etc", "hadoop")
	}
	if dir == "" {
		return settings{}, nil
	}
	conf, err := hadoopconf.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("read the Hadoop configuration in %q: %w", dir, err)
	}
	if conf == nil && given {
		return nil, fmt.Errorf("read the Hadoop configuration: %q holds neither core-site.xml nor hdfs-site.xml", dir)
	}
	s := settings{}
	for key, value := range conf {
		s[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	for key, value := range s {
		s[key] = s.expand(value)
	}
	return s, nil
}

// expand replaces ${name} by the value of another setting, as Hadoop does; what has none stays.
func (s settings) expand(value string) string {
	for range 20 {
		start := strings.Index(value, "${")
		if start < 0 {
			return value
		}
		length := strings.IndexByte(value[start:], '}')
		if length < 0 {
			return value
		}
		other, ok := s[value[start+2:start+length]]
		if !ok {
			return value
		}
		value = value[:start] + other + value[start+length+1:]
	}
	return value
}

// list splits a comma separated value.
func list(value string) []string {
	var elements []string
	for element := range strings.SplitSeq(value, ",") {
		if element = strings.TrimSpace(element); element != "" {
			elements = append(elements, element)
		}
	}
	return elements
}

// first returns the first value that is not empty.
func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// locate finds the place of a URI.
func locate(uri string, o Options, conf settings) (place, error) {
	rest, ok := strings.CutPrefix(uri, scheme+"://")
	if !ok {
		return place{}, fmt.Errorf("%q does not start with hdfs://", uri)
	}
	authority, dir, _ := strings.Cut(rest, "/")
	if authority == "" {
		defaultFS := first(conf["fs.defaultFS"], conf["fs.default.name"])
		if rest, ok := strings.CutPrefix(defaultFS, scheme+"://"); ok {
			authority, _, _ = strings.Cut(rest, "/")
		}
	}
	if authority == "" && len(o.NameNodes) > 0 {
		authority = strings.Join(o.NameNodes, ",")
	}
	if authority == "" {
		return place{}, fmt.Errorf("%q names no namenode: write hdfs://host:port/dir, or set HADOOP_CONF_DIR to a directory whose "+
			"core-site.xml has fs.defaultFS", uri)
	}
	if err := checkDir(dir); err != nil {
		return place{}, err
	}
	p := place{dir: path.Clean("/" + dir)}
	p.uri = strings.TrimSuffix(scheme+"://"+authority+p.dir, "/")
	service, hosts := conf.nameNodes(authority)
	if len(o.NameNodes) > 0 {
		hosts = o.NameNodes
	}
	for _, host := range hosts {
		p.nameNodes = append(p.nameNodes, withPort(host, defaultPort))
	}
	p.http = httpAddresses(o.WebHDFS)
	if len(p.http) == 0 {
		p.http = conf.webAddresses(service, p.nameNodes)
	}
	return p, nil
}

// checkDir refuses directories that are not clean, so that one directory has one URI.
func checkDir(dir string) error {
	dir = strings.TrimSuffix(dir, "/")
	if dir == "" {
		return nil
	}
	if err := storage.CheckName(dir); err != nil {
		return fmt.Errorf("directory %q: %w", "/"+dir, err)
	}
	return checkColon(dir)
}

// nameNodes returns the addresses that an authority stands for, and the name service if it is one.
func (s settings) nameNodes(authority string) (service string, hosts []string) {
	for _, id := range list(s["dfs.ha.namenodes."+authority]) {
		if host := s["dfs.namenode.rpc-address."+authority+"."+id]; host != "" {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) > 0 {
		return authority, hosts
	}
	return "", list(authority)
}

// webAddresses returns the HTTP addresses of a name service or, if there is none, of the one namenode that the configuration is of.
func (s settings) webAddresses(service string, nameNodes []string) []string {
	protocol := "http"
	if strings.EqualFold(s["dfs.http.policy"], "HTTPS_ONLY") {
		protocol = "https"
	}
	key := "dfs.namenode." + protocol + "-address"
	var addresses []string
	for _, id := range list(s["dfs.ha.namenodes."+service]) {
		if address := s[key+"."+service+"."+id]; service != "" && address != "" {
			addresses = append(addresses, protocol+"://"+address)
		}
	}
	if len(addresses) > 0 || s[key] == "" || service != "" {
		return addresses
	}
	// The address of a cluster without high availability counts only if the configuration is that cluster's.
	own := []string{s["dfs.namenode.rpc-address"]}
	if rest, ok := strings.CutPrefix(first(s["fs.defaultFS"], s["fs.default.name"]), scheme+"://"); ok {
		own = append(own, strings.TrimSuffix(rest, "/"))
	}
	for _, host := range own {
		if host != "" && slices.Contains(nameNodes, withPort(host, defaultPort)) {
			return []string{protocol + "://" + s[key]}
		}
	}
	return nil
}

// httpAddresses splits Options.WebHDFS and gives each address a protocol.
func httpAddresses(value string) []string {
	addresses := list(value)
	for i, address := range addresses {
		address = strings.TrimSuffix(address, "/")
		if !strings.Contains(address, "://") {
			address = "http://" + address
		}
		addresses[i] = address
	}
	return addresses
}

// withPort adds a port where there is none.
func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// replication returns the replication for new files that the caller or the configuration asks for, or 0.
func (s settings) replication(o Options) (int, error) {
	if o.Replication > 0 {
		return o.Replication, nil
	}
	value := s["dfs.replication"]
	if value == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("dfs.replication in the Hadoop configuration is %q, not a positive number", value)
	}
	return n, nil
}

// clientOptions returns what the configuration says for the client library, save the addresses.
func (s settings) clientOptions() hadoop.ClientOptions {
	conf := hadoopconf.HadoopConf{}
	maps.Copy(conf, s)
	// The library parses these as URLs and fails badly if they are none, such as lists of namenodes.
	delete(conf, "fs.defaultFS")
	delete(conf, "fs.default.name")
	return hadoop.ClientOptionsFromConf(conf)
}

// userName returns who we are without Kerberos.
func userName(o Options, env func(string) string) (string, error) {
	if name := first(o.User, env("HADOOP_USER_NAME")); name != "" {
		return name, nil
	}
	if current, err := user.Current(); err == nil && current.Username != "" {
		return current.Username, nil
	}
	if name := env("USER"); name != "" {
		return name, nil
	}
	return "", errors.New("the name of the user is unknown: set HADOOP_USER_NAME")
}

// environment is os.Getenv, named so that tests can pass another.
func environment(key string) string { return os.Getenv(key) }
