package webhdfs

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/colinmarc/hdfs/v2/hadoopconf"
)

// place is what a URI denotes.
type place struct {
	scheme    string   // of the requests
	addresses []string // of the namenodes
	dir       string   // absolute, "" for the root
	uri       string   // without a trailing slash
}

// flavor tells the two schemes apart.
type flavor struct{ scheme, port, property string }

// flavors are the schemes of URIs.
func flavors(scheme string) (flavor, bool) {
	switch scheme {
	case "webhdfs":
		return flavor{scheme: "http", port: "9870", property: "dfs.namenode.http-address"}, true
	case "swebhdfs":
		return flavor{scheme: "https", port: "9871", property: "dfs.namenode.https-address"}, true
	}
	return flavor{}, false
}

// loadConf reads the configuration of Hadoop, which is empty where there is none.
func loadConf(dir string) (hadoopconf.HadoopConf, error) {
	if dir != "" {
		conf, err := hadoopconf.Load(dir)
		if err == nil && conf == nil {
			err = fmt.Errorf("no core-site.xml or hdfs-site.xml in %s", dir)
		}
		return conf, err
	}
	if dir := os.Getenv("HADOOP_CONF_DIR"); dir != "" {
		return hadoopconf.Load(dir)
	}
	if home := os.Getenv("HADOOP_HOME"); home != "" {
		return hadoopconf.Load(filepath.Join(home, "etc", "hadoop"))
	}
	return nil, nil
}

// locate finds out which namenodes and which directory a URI denotes.
func locate(uri string, conf hadoopconf.HadoopConf, opts Options) (place, error) {
	// Not url.Parse for the path: names are as they are, without percent-encoding.
	scheme, rest, ok := strings.Cut(uri, "://")
	f, isOurs := flavors(scheme)
	if !ok || !isOurs {
		return place{}, errors.New("the URI must be webhdfs://host:port/dir, or swebhdfs:// for TLS")
	}
	authority, dir, _ := strings.Cut(rest, "/")
	dir = path.Clean("/" + dir)
	if dir == "/" {
		dir = ""
	}
	p := place{scheme: f.scheme, dir: dir, uri: strings.TrimSuffix(uri, "/")}
	if opts.RootURI != "" {
		p.uri = strings.TrimSuffix(opts.RootURI, "/")
	} else if p.uri = scheme + "://" + authority + dir; authority == "" && len(opts.Addresses) == 0 {
		return place{}, errors.New("the URI names no host: webhdfs://host:port/dir")
	}
	if len(opts.Addresses) > 0 {
		for _, a := range opts.Addresses {
			p.addresses = append(p.addresses, withPort(a, f.port))
		}
		return p, nil
	}
	if service := nameservice(authority, conf, f); service != nil {
		p.addresses = service
		return p, nil
	}
	if _, err := url.Parse("http://" + authority); err != nil || strings.Contains(authority, "@") {
		return place{}, fmt.Errorf("%q is not host:port", authority)
	}
	p.addresses = []string{withPort(authority, f.port)}
	return p, nil
}

// nameservice returns the HTTP addresses of the namenodes of a nameservice, or nil if the configuration has none of that name.
func nameservice(name string, conf hadoopconf.HadoopConf, f flavor) []string {
	ids := conf["dfs.ha.namenodes."+name]
	if ids == "" {
		if a := conf[f.property+"."+name]; a != "" { // federation without HA
			return []string{withPort(a, f.port)}
		}
		return nil
	}
	var addresses []string
	for id := range strings.SplitSeq(ids, ",") {
		id = strings.TrimSpace(id)
		a := conf[f.property+"."+name+"."+id]
		if a == "" { // the default is the host of the RPC address
			host, _, err := net.SplitHostPort(conf["dfs.namenode.rpc-address."+name+"."+id])
			if err != nil {
				continue
			}
			a = host
		}
		addresses = append(addresses, withPort(a, f.port))
	}
	return addresses
}

// withPort adds the default port to an address without one.
func withPort(address, port string) string {
	address = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(address), "http://"), "https://")
	address = strings.TrimSuffix(address, "/")
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), port)
}
