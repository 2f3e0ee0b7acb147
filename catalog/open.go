package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
)

// catalogURIs is what error messages offer.
const catalogURIs = "use sqlite:///absolute/path/catalog.db (writers on one machine), postgres://user@host/database, or the http(s):// address " +
	"of an Iceberg REST catalog"

// openBackend chooses by the scheme of the URI, and refuses what could not commit atomically.
func openBackend(ctx context.Context, opts Options, logger *slog.Logger) (backend, error) {
	scheme, _, found := strings.Cut(opts.URI, ":")
	if !found {
		scheme = ""
	}
	switch scheme {
	case "sqlite":
		pointers, err := openSQLite(ctx, opts.URI, opts.Name)
		if err != nil {
			return nil, err
		}
		return newPointerBackend(opts.Store, pointers, logger)
	case "postgres", "postgresql":
		pointers, err := openPostgres(ctx, opts.URI, opts.Name)
		if err != nil {
			return nil, err
		}
		return newPointerBackend(opts.Store, pointers, logger)
	case "http", "https":
		return openREST(ctx, opts, logger)
	}
	return nil, refuse(opts.URI, scheme)
}

// refuse says why there is no catalog of a kind.
func refuse(uri, scheme string) error {
	shown := uri
	if parsed, err := url.Parse(uri); err == nil {
		shown = parsed.Redacted()
	}
	reason, sentinel := "", ErrUnsupported
	switch scheme {
	case "hadoop", "file", "s3", "s3a", "s3n", "gs", "abfs", "abfss", "hdfs", "viewfs", "webhdfs", "swebhdfs":
		reason = "a catalog made of files alone (Hadoop's) commits by renaming a file: HDFS replaces what is there, object stores know no " +
			"rename, and so of two writers one silently loses what it wrote"
	case "hive", "thrift":
		reason = "the Hive metastore client of iceberg-go calls methods that Hive 4 does not have (get_table), and its locks were not tested here; " +
			"an Iceberg REST catalog can stand in front of a metastore"
	case "glue":
		reason = "Glue cannot be tested outside of AWS, and its REST endpoint needs signed requests, which are not made yet"
	case "memory", "mem", "inmemory":
		reason = "a catalog in memory ends with the process, and with it all tables"
	default:
		sentinel = ErrInvalid
		reason = "unknown kind of catalog"
		if scheme == "" || filepath.IsAbs(uri) {
			reason = "a catalog is named by a URI"
		}
		if strings.Contains(shown, "@") && scheme == "" { // perhaps a connection string with a password
			shown = "…"
		}
	}
	return fmt.Errorf("%w: catalog URI %q: %s: %s", sentinel, shown, reason, catalogURIs)
}
