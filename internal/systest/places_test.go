package systest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage/webhdfs"
)

// place is a storage with a catalog.
type place struct {
	name   string
	config func(t testing.TB) firn.Config // of a fresh, empty lake
}

func localPlace() place {
	return place{"local", func(t testing.TB) firn.Config { return firn.Config{Lake: t.TempDir()} }}
}

// remotePlaces are the storages and catalogs that firn works on; the test is skipped if there are no servers.
func remotePlaces(t testing.TB) []place {
	t.Helper()
	testservers.Need(t)
	return []place{
		{"s3", s3Postgres},
		{"s3-cached", func(t testing.TB) firn.Config {
			c := s3Postgres(t)
			// So small that blocks are evicted all the time.
			c.Cache = &firn.CacheConfig{Dir: t.TempDir(), Bytes: 2 << 20, Objects: 50, Memory: 256 << 10}
			return c
		}},
		{"minio-rest", minioREST(t)},
		{"hdfs", hdfsSQLite},
		{"webhdfs-erasure-coded", webHDFSErasureCoded},
	}
}

// s3Config is a fresh prefix on an S3 server.
func s3Config(server *testservers.Server) firn.Config {
	v := server.Vars
	return firn.Config{
		Lake: fmt.Sprintf("s3://%s/%s", v["S3_BUCKET"], uuid.NewString()),
		S3: firn.S3Config{
			Endpoint: v["S3_ENDPOINT"], Region: v["AWS_REGION"], AccessKeyID: v["AWS_ACCESS_KEY_ID"], SecretAccessKey: v["AWS_SECRET_ACCESS_KEY"],
		},
	}
}

func s3Postgres(t testing.TB) firn.Config {
	c := s3Config(testservers.Shared(t, "s3"))
	c.Catalog = testservers.Shared(t, "postgres").Vars["POSTGRES_URI"]
	c.CatalogName = uuid.NewString()
	return c
}

// minioREST is MinIO with a REST catalog that works on it, too. The catalog's server is started when the first lake is made and lives as
// long as the test t; every lake has a catalog of its own on it.
func minioREST(t testing.TB) func(testing.TB) firn.Config {
	catalogs := sync.OnceValue(func() string {
		server := testservers.Shared(t, "s3", "S3_SERVER=minio")
		settings := []string{"REST_WAREHOUSE=" + s3Config(server).Lake}
		for _, key := range []string{"S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
			settings = append(settings, key+"="+server.Vars[key])
		}
		return testservers.Own(t, "rest", settings...).Vars["REST_URI"]
	})
	return func(t testing.TB) firn.Config {
		c := s3Config(testservers.Shared(t, "s3", "S3_SERVER=minio"))
		c.Catalog = catalogs() + "/c/" + uuid.NewString()
		return c
	}
}

// hdfsSettings are those of the shared cluster.
func hdfsSettings() []string { return []string{"HDFS_DATANODES=3", "HDFS_EC=XOR-2-1-1024k"} }

func sqliteIn(dir string) string { return "sqlite://" + filepath.Join(dir, "catalog.db") }

func hdfsSQLite(t testing.TB) firn.Config {
	return hdfsOn(t, testservers.Shared(t, "hdfs", hdfsSettings()...))
}

func hdfsOn(t testing.TB, server *testservers.Server) firn.Config {
	return firn.Config{
		Lake:    fmt.Sprintf("hdfs://%s/%s", server.Vars["HDFS_NAMENODE"], uuid.NewString()),
		Catalog: sqliteIn(t.TempDir()),
		HDFS:    firn.HDFSConfig{ConfDir: server.Vars["HADOOP_CONF_DIR"], User: server.Vars["HDFS_USER"]},
	}
}

// webHDFSErasureCoded is a directory of HDFS whose files are erasure coded.
func webHDFSErasureCoded(t testing.TB) firn.Config {
	server := testservers.Shared(t, "hdfs", hdfsSettings()...)
	return webHDFSOn(t, server)
}

func webHDFSOn(t testing.TB, server *testservers.Server) firn.Config {
	lake := "webhdfs://" + strings.TrimPrefix(server.Vars["HDFS_HTTP"], "http://") + "/" + uuid.NewString()
	user := server.Vars["HDFS_USER"]
	store, err := webhdfs.Open(t.Context(), lake, webhdfs.Options{User: user})
	require.NoError(t, err)
	require.NoError(t, store.SetECPolicy(t.Context(), "", "XOR-2-1-1024k"))
	require.NoError(t, store.Close())
	return firn.Config{
		Lake: lake, Catalog: sqliteIn(t.TempDir()),
		HDFS: firn.HDFSConfig{ConfDir: server.Vars["HADOOP_CONF_DIR"], User: user},
	}
}

// openConfig opens the lake of a configuration, until the test ends.
func openConfig(t testing.TB, c firn.Config, opts ...firn.Option) *firn.Lake {
	t.Helper()
	return openLake(t, c.Lake, append([]firn.Option{firn.WithConfig(c)}, opts...)...)
}

// configFile writes a configuration for the program.
func configFile(t testing.TB, c firn.Config) string {
	t.Helper()
	if c.Cache == nil { // no test shall use the user's own cache
		c.Cache = &firn.CacheConfig{Dir: "off"}
	}
	text, err := yaml.Marshal(c)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "firn.yaml")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// everyPlace is local disk and, if there are servers, all others.
func everyPlace(t testing.TB) []place {
	list := []place{localPlace()}
	if testservers.Enabled() {
		list = append(list, remotePlaces(t)...)
	}
	return list
}
