package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/hdfs"
	"github.com/firnlog/firn/storage/local"
	"github.com/firnlog/firn/storage/s3"
)

// newServerLake makes a lake in a new directory whose tables a server keeps.
func newServerLake(t *testing.T, uri string) lake {
	t.Helper()
	return newLakeAt(t, uri, "file://"+t.TempDir())
}

// newLakeAt makes a lake in any store with any catalog, apart from all other lakes.
func newLakeAt(t *testing.T, catalog, store string) lake {
	t.Helper()
	name := fmt.Sprintf("lake-%x", rand.Uint64())
	switch {
	case strings.HasPrefix(catalog, "http"):
		catalog += "/c/" + name
	case catalog == "":
		catalog = "sqlite://" + filepath.Join(t.TempDir(), "catalog.db")
	}
	if !strings.HasPrefix(store, "file:") {
		store += "/" + name
	}
	return lake{dir: store, store: openStore(t, store), uri: catalog, name: name}.open(t)
}

// openStore opens the store that a URI names, with settings from the environment.
func openStore(t *testing.T, uri string) storage.Store {
	t.Helper()
	var store interface {
		storage.Store
		Close() error
	}
	var err error
	switch scheme, rest, _ := strings.Cut(uri, "://"); scheme {
	case "s3":
		store, err = s3.Open(context.Background(), uri, s3.Options{})
	case "hdfs":
		store, err = hdfs.Open(context.Background(), uri, hdfs.Options{})
	default:
		store, err = local.New(rest)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// s3Of returns a place in S3, and sets the environment for it.
func s3Of(t *testing.T) string {
	t.Helper()
	s := testservers.Shared(t, "s3")
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
		t.Setenv(name, s.Vars[name])
	}
	t.Setenv("AWS_ENDPOINT_URL", s.Vars["S3_ENDPOINT"])
	t.Setenv("S3_ENDPOINT", s.Vars["S3_ENDPOINT"]) // for the REST server's script
	return "s3://" + s.Vars["S3_BUCKET"] + "/firn-catalog"
}

func hdfsOf(t *testing.T) string {
	t.Helper()
	s := testservers.Shared(t, "hdfs", "HDFS_DATANODES=3", "HDFS_EC=XOR-2-1-1024k")
	t.Setenv("HADOOP_USER_NAME", s.Vars["HDFS_USER"])
	return "hdfs://" + s.Vars["HDFS_NAMENODE"] + "/firn-catalog"
}

func postgresOf(s *testservers.Server) string { return s.Vars["POSTGRES_URI"] }
func restOf(s *testservers.Server) string     { return s.Vars["REST_URI"] }

// TestServerContention lets processes append to one table as fast as they can.
func TestServerContention(t *testing.T) {
	files := func(t *testing.T) string { return "file://" + t.TempDir() }
	for name, c := range map[string]struct {
		catalog, store  func(t *testing.T) string
		processes, each int
	}{
		"postgres, local": {func(t *testing.T) string { return postgresOf(testservers.Shared(t, "postgres")) }, files, 8, 50},
		"postgres, s3":    {func(t *testing.T) string { return postgresOf(testservers.Shared(t, "postgres")) }, s3Of, 8, 50},
		"sqlite, hdfs":    {func(*testing.T) string { return "" }, hdfsOf, 8, 50},
		"rest, local":     {func(t *testing.T) string { return restOf(testservers.Shared(t, "rest")) }, files, 4, 12},
		"rest, s3": {func(t *testing.T) string {
			jdbc := testservers.Shared(t, "postgres").Vars["POSTGRES_JDBC"]
			return restOf(testservers.Own(t, "rest", "REST_WAREHOUSE=s3://test/firn-rest", "REST_JDBC="+jdbc))
		}, s3Of, 4, 12},
	} {
		t.Run(name, func(t *testing.T) {
			testservers.Need(t)
			store := c.store(t) // first: it sets the environment
			l := newLakeAt(t, c.catalog(t), store)
			l.create(t, TableSpec{Name: "web"})
			start := time.Now()
			names, err := appendInProcesses(l, c.processes, c.each)
			require.NoError(t, err)
			t.Logf("%d commits of %d processes in %v", c.processes*c.each, c.processes, time.Since(start).Round(time.Millisecond))
			requireEveryFile(t, l.open(t), names, c.each)
		})
	}
}

// requireEveryFile wants every file of every writer exactly once.
func requireEveryFile(t *testing.T, l lake, writers []string, count int) {
	t.Helper()
	tbl, err := l.Load(context.Background(), "web")
	require.NoError(t, err)
	files, rows := totalRows(t, tbl)
	require.Equal(t, len(writers)*count, files)
	require.EqualValues(t, len(writers)*count*(count+1)/2, rows)
	require.Len(t, tbl.Snapshots(), files)
}

// TestServerOpenedByManyAtOnce makes the tables of an empty database from many sessions at once.
func TestServerOpenedByManyAtOnce(t *testing.T) {
	ctx := context.Background()
	uri := postgresOf(testservers.Shared(t, "postgres"))
	admin, err := pgx.Connect(ctx, uri)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close(ctx)) }()
	for range 5 {
		schema := fmt.Sprintf("fresh%x", rand.Uint64())
		_, err := admin.Exec(ctx, "CREATE SCHEMA "+schema)
		require.NoError(t, err)
		var group errgroup.Group
		for i := range 12 {
			group.Go(func() error {
				p, err := openPostgres(ctx, uri+"&search_path="+schema+"&catalog_name=c"+strconv.Itoa(i%3), "firn")
				if err != nil {
					return err
				}
				err = p.insert(ctx, []string{"default", "t" + strconv.Itoa(i)}, "file:///x")
				return errors.Join(err, p.close())
			})
		}
		require.NoError(t, group.Wait())
		_, err = admin.Exec(ctx, "DROP SCHEMA "+schema+" CASCADE")
		require.NoError(t, err)
	}
}

// TestServerTablesAlike makes one table with every kind of catalog.
func TestServerTablesAlike(t *testing.T) {
	testservers.Need(t)
	spec := TableSpec{Name: "a.web", PartitionBy: ColumnAppID, Properties: map[string]string{"owner": "ops"},
		Columns: []Column{{Name: "status", Type: TypeInt, Doc: "HTTP status"}, {Name: "tags", Type: TypeStringMap}, {Name: "n", Type: TypeDouble}}}
	want := newServerLake(t, "").create(t, spec).inner.Metadata()
	for _, uri := range []string{postgresOf(testservers.Shared(t, "postgres")), restOf(testservers.Shared(t, "rest"))} {
		l := newServerLake(t, uri)
		got := l.create(t, spec).inner.Metadata()
		require.Equal(t, l.store.URI("a/web"), got.Location())
		require.Equal(t, want.Version(), got.Version())
		wanted, columns := columnsOf(want.CurrentSchema()), columnsOf(got.CurrentSchema())
		for i := range wanted { // Java gives ids to what lies within maps after all columns, iceberg-go before the next column
			require.Positive(t, columns[i].ID)
			wanted[i].ID, columns[i].ID = 0, 0
		}
		require.Equal(t, wanted, columns)
		require.Equal(t, fmt.Sprint(want.PartitionSpec()), fmt.Sprint(got.PartitionSpec()))
		require.Equal(t, fmt.Sprint(want.SortOrder()), fmt.Sprint(got.SortOrder()))
		require.Equal(t, want.LastColumnID(), got.LastColumnID())
		properties := maps.Clone(got.Properties())
		properties[PropertyIndexLocation] = want.Properties()[PropertyIndexLocation]
		require.Equal(t, want.Properties(), properties)
	}
}

func TestServerSettings(t *testing.T) {
	ctx := context.Background()
	uri := postgresOf(testservers.Shared(t, "postgres"))
	p, err := openPostgres(ctx, uri+"&options=-c%20synchronous_commit%3Doff&catalog_name=mine", "firn")
	require.NoError(t, err)
	defer func() { require.NoError(t, p.close()) }()
	require.Equal(t, "mine", p.name)
	for setting, want := range map[string]string{"synchronous_commit": "on", "statement_timeout": "9s", "application_name": "firn"} {
		var got string
		require.NoError(t, p.db.QueryRowContext(ctx, "SELECT current_setting($1)", setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}
}

// outcomes is what writers were told about their files.
type outcomes struct {
	mu                      sync.Mutex
	committed, not, unknown []string
	failures                []error
}

// write appends file after file until told to stop, each as a process of its own would.
func (o *outcomes) write(t *testing.T, l lake, template NewFile, stop <-chan struct{}) {
	var tbl *Table
	for {
		select {
		case <-stop:
			return
		default:
		}
		ctx := context.Background()
		if tbl == nil {
			loaded, err := l.Load(ctx, "web")
			if err != nil {
				continue
			}
			tbl = loaded
		}
		files := copies(template, 1)
		after, err := tbl.Append(ctx, files, AppendOptions{})
		o.mu.Lock()
		switch {
		case err == nil:
			o.committed = append(o.committed, files[0].Path)
			tbl = after
		case errors.Is(err, ErrCommitUnknown):
			o.unknown = append(o.unknown, files[0].Path)
		default:
			o.not = append(o.not, files[0].Path)
		}
		if err != nil {
			o.failures = append(o.failures, err)
			tbl = nil
		}
		o.mu.Unlock()
	}
}

func (o *outcomes) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.committed)
}

// require wants what was acknowledged once, and what was refused not at all.
func (o *outcomes) require(t *testing.T, l lake) {
	t.Helper()
	for _, err := range o.failures {
		t.Log(err)
	}
	require.Empty(t, o.unknown, "the server was back in time to tell")
	tbl, err := l.open(t).Load(context.Background(), "web")
	require.NoError(t, err)
	listed := map[string]int{}
	for _, file := range mustFiles(t, tbl) {
		listed[file.Path]++
	}
	for _, path := range o.committed {
		require.Equal(t, 1, listed[path], "acknowledged: %s", path)
	}
	for _, path := range o.not {
		require.Zero(t, listed[path], "refused: %s", path)
	}
	require.Len(t, listed, len(o.committed))
	require.Len(t, tbl.Snapshots(), len(o.committed), "no snapshot twice, none lost")
	t.Logf("%d committed, %d refused, %d unknown", len(o.committed), len(o.not), len(o.unknown))
}

// disturb lets writers append while something is done to the server, several times at random moments, each time after a few commits
// more have come through.
func disturb(t *testing.T, l lake, rounds int, blow func()) {
	t.Helper()
	const writers = 3
	tbl := l.create(t, TableSpec{Name: "web", Properties: map[string]string{"commit.manifest.min-count-to-merge": "8"}})
	template := oneFile(t, l, tbl)[0]
	told := &outcomes{}
	stop := make(chan struct{})
	var done sync.WaitGroup
	for range writers {
		mine := l.open(t)
		done.Go(func() { told.write(t, mine, template, stop) })
	}
	random := rand.New(rand.NewPCG(4, uint64(rounds)))
	progress := func(more int) {
		start := told.count()
		require.Eventually(t, func() bool { return told.count() >= start+more }, 2*time.Minute, 5*time.Millisecond, "writers go on")
	}
	for range rounds {
		progress(1 + random.IntN(6))
		time.Sleep(time.Duration(random.Int64N(int64(100 * time.Millisecond))))
		blow()
	}
	progress(3)
	close(stop)
	done.Wait()
	told.require(t, l)
}

func TestServerPostgresKilled(t *testing.T) {
	s := testservers.Own(t, "postgres")
	l := newServerLake(t, postgresOf(s))
	disturb(t, l, 12, func() {
		s.Signal(t, "server", syscall.SIGKILL)
		s.Up(t)
	})
}

// TestServerPostgresFrozen stops every process of Postgres for longer than a statement may take, so that statements are carried out
// after their sender has given up.
func TestServerPostgresFrozen(t *testing.T) {
	s := testservers.Own(t, "postgres")
	l := newServerLake(t, postgresOf(s))
	disturb(t, l, 3, func() {
		processes := postgresProcesses(t, postgresOf(s))
		for _, pid := range processes {
			_ = syscall.Kill(pid, syscall.SIGSTOP) // some may be gone by now
		}
		time.Sleep(postgresTimeout + 2*time.Second)
		for _, pid := range processes {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	})
}

// postgresProcesses lists the server's main process and its children.
func postgresProcesses(t *testing.T, uri string) []int {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, uri)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(ctx)) }()
	parents := map[int]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		text := string(content)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // state, parent
		parent, err := strconv.Atoi(fields[1])
		require.NoError(t, err)
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		require.NoError(t, err)
		parents[pid] = parent
	}
	var mine int
	require.NoError(t, conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&mine))
	server := parents[mine]
	require.Greater(t, server, 1)
	processes := []int{server}
	for pid, parent := range parents {
		if parent == server {
			processes = append(processes, pid)
		}
	}
	return processes
}

func TestServerRESTKilled(t *testing.T) {
	s := testservers.Own(t, "rest")
	l := newServerLake(t, restOf(s))
	disturb(t, l, 5, func() {
		s.Signal(t, "server", syscall.SIGKILL)
		s.Up(t)
	})
}
