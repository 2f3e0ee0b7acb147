package s3

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/firnlog/firn/storage"
)

// parseURI cuts s3://bucket/prefix into its parts. The prefix has no slash at its ends. The scheme s3a, which Hadoop writes, is kept.
func parseURI(uri string) (scheme, bucket, prefix string, err error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || scheme != "s3" && scheme != "s3a" {
		return "", "", "", fmt.Errorf("%q is not of the form s3://bucket/prefix", uri)
	}
	bucket, prefix, _ = strings.Cut(rest, "/")
	if bucket == "" || strings.ContainsAny(bucket, "@:?#% \\") {
		return "", "", "", fmt.Errorf("%q is not of the form s3://bucket/prefix: %q is no bucket's name", uri, bucket)
	}
	prefix = strings.TrimRight(prefix, "/")
	if prefix != "" {
		if err := storage.CheckName(prefix); err != nil {
			return "", "", "", fmt.Errorf("the prefix of %q: %w", uri, err)
		}
	}
	return scheme, bucket, prefix, nil
}

// normalEndpoint completes the address of a server.
func normalEndpoint(endpoint string) (*url.URL, error) {
	address := endpoint
	if !strings.Contains(address, "://") {
		address = "//" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("endpoint %q is not of the form https://host:port", endpoint)
	}
	if u.Scheme == "" {
		u.Scheme = "https"
		if isLocal(u.Hostname()) {
			u.Scheme = "http"
		}
	}
	return u, nil
}

// isLocal says whether a host is an IP address or this machine.
func isLocal(host string) bool {
	return net.ParseIP(host) != nil || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// usePathStyle decides PathStyleAuto. A nil endpoint is AWS.
func usePathStyle(style PathStyle, endpoint *url.URL, bucket string) bool {
	if style != PathStyleAuto {
		return style == PathStyleOn
	}
	tls := true
	if endpoint != nil {
		host := endpoint.Hostname()
		if isLocal(host) || !strings.Contains(host, ".") {
			return true
		}
		tls = endpoint.Scheme == "https"
	}
	return !isHostLabel(bucket, !tls)
}

// isHostLabel says whether a bucket's name may stand before a host's name.
func isHostLabel(bucket string, dots bool) bool {
	for i, c := range []byte(bucket) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case c == '-' && i > 0 && i < len(bucket)-1:
		case c == '.' && dots && i > 0 && i < len(bucket)-1:
		default:
			return false
		}
	}
	return len(bucket) <= 63
}
