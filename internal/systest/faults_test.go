package systest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/faultproxy"
	"github.com/firnlog/firn/internal/testservers"
)

// batchRows is how many rows each commit of a survivor has.
const batchRows = 60

// survivor writes batches of rows into a table, each in a commit of its own, while servers fail, and remembers what was acknowledged.
type survivor struct {
	config       firn.Config
	acknowledged map[int]bool // by batch; false: its commit failed, so that it may be there or not
	failures     []error
	batches      int
}

// survive runs disturb while batches are written and read, and afterwards checks that every acknowledged row is there once, that every
// other batch is there as a whole or not at all, and that writing works again.
func survive(t *testing.T, c firn.Config, disturb func()) *survivor {
	t.Helper()
	s := &survivor{config: c, acknowledged: map[int]bool{}}
	lake := openConfig(t, c)
	_, err := lake.Create(t.Context(), firn.TableSpec{Name: "web"})
	require.NoError(t, err)
	for range 3 {
		s.write(t, lake)
	}
	require.Empty(t, s.failures)

	over := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { s.read(t, lake, over) })
	done := make(chan struct{})
	go func() { defer close(done); disturb() }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			s.write(t, lake)
		}
	}
	close(over)
	reader.Wait()
	t.Logf("%d batches, %d failed", s.batches, len(s.failures))
	for _, err := range s.failures {
		t.Logf("failed with: %v", err)
		require.True(t, strings.Contains(err.Error(), "default.web") || strings.Contains(err.Error(), "default/web"), "does not say what failed: %v", err)
	}
	for range 3 { // with everything mended, writing works
		s.write(t, openConfig(t, c))
		require.True(t, s.acknowledged[s.batches-1], "%v", errors.Join(s.failures...))
	}
	s.check(t)
	return s
}

// write writes one batch.
func (s *survivor) write(t *testing.T, lake *firn.Lake) {
	batch := s.batches
	s.batches++
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	err := func() error {
		table, err := lake.Table(ctx, "web")
		if err != nil {
			return err
		}
		w, err := lake.Writer(ctx, table, firn.WriterOptions{})
		if err != nil {
			return err
		}
		rows := make([]firn.Record, batchRows)
		for i := range rows {
			at := time.Date(2026, 5, 1+i%2, 0, batch, i, 0, time.UTC)
			rows[i] = firn.Record{Time: at, Fields: []firn.Field{firn.F("log_msg", fmt.Sprintf("batch%d row%d of the survivor", batch, i))}}
		}
		if err := w.Append(ctx, rows...); err != nil {
			return errors.Join(err, w.Close(ctx))
		}
		return w.Close(ctx)
	}()
	s.acknowledged[batch] = err == nil
	if err != nil {
		s.failures = append(s.failures, err)
	}
}

// read counts the first batches all the time: the answer is right, or there is an error.
func (s *survivor) read(t *testing.T, lake *firn.Lake, over <-chan struct{}) {
	wrong, answers := 0, 0
	for i := 0; ; i++ {
		select {
		case <-over:
			if wrong > 0 {
				t.Errorf("%d of %d answers were wrong", wrong, answers)
			}
			return
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		n, err := lake.Count(ctx, "web", fmt.Sprintf("batch%d row7", i%3), firn.Request{NoIndex: i%2 == 0})
		cancel()
		if err == nil {
			answers++
			if n != 1 {
				wrong++
			}
		}
	}
}

// check compares the table, opened afresh and with no cache, with what was acknowledged.
func (s *survivor) check(t *testing.T) {
	t.Helper()
	c := s.config
	c.Cache = nil
	lake := openConfig(t, c)
	table, err := lake.Table(t.Context(), "web")
	require.NoError(t, err)
	seen := make([]map[string]int, s.batches)
	for row, err := range lake.Search(t.Context(), "web", "*", firn.Request{Columns: []string{"log_msg"}}) {
		require.NoError(t, err)
		text, err := row.MarshalJSON()
		require.NoError(t, err)
		var batch, number int
		message := string(text)
		_, err = fmt.Sscanf(message[strings.Index(message, "batch"):], "batch%d row%d", &batch, &number)
		require.NoError(t, err, message)
		if seen[batch] == nil {
			seen[batch] = map[string]int{}
		}
		seen[batch][message]++
	}
	for batch, rows := range seen {
		for message, n := range rows {
			require.Equal(t, 1, n, "there %d times: %s", n, message)
		}
		if len(rows) != batchRows {
			require.Falsef(t, s.acknowledged[batch], "batch %d was acknowledged, but has %d rows", batch, len(rows))
			require.Empty(t, rows, "batch %d is there in part", batch)
		}
	}
	report, err := lake.Verify(t.Context(), table, firn.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, report.OK, "%+v", report.Problems)
}

// kills returns a disturbance: a process gets a signal several times, and what mends it follows.
func kills(t *testing.T, server *testservers.Server, process string, signal syscall.Signal, times int) func() {
	rng := rand.New(rand.NewSource(int64(times)))
	return func() {
		for range times {
			time.Sleep(time.Duration(500+rng.Intn(1000)) * time.Millisecond)
			server.Signal(t, process, signal)
			time.Sleep(time.Duration(1000+rng.Intn(2000)) * time.Millisecond)
			if signal == syscall.SIGSTOP {
				time.Sleep(4 * time.Second)
				server.Signal(t, process, syscall.SIGCONT)
			} else {
				server.Up(t)
			}
		}
		time.Sleep(2 * time.Second)
	}
}

// disturbances is how often a server is disturbed.
func disturbances() int {
	if longTests() {
		return 4
	}
	return 1
}

func TestSurvivesS3Server(t *testing.T) {
	testservers.Need(t)
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			server := testservers.Own(t, "s3")
			c := s3Config(server)
			c.Catalog = sqliteIn(t.TempDir())
			survive(t, c, kills(t, server, "server", signal, disturbances()))
		})
	}
}

// TestSurvivesS3Faults puts a proxy before the server that breaks some of all requests in every way it knows.
func TestSurvivesS3Faults(t *testing.T) {
	testservers.Need(t)
	server := testservers.Shared(t, "s3")
	proxy, err := faultproxy.New(server.Vars["S3_ENDPOINT"])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	c := s3Config(server)
	c.S3.Endpoint = proxy.URL()
	c.Catalog = sqliteIn(t.TempDir())
	c.Cache = &firn.CacheConfig{Dir: t.TempDir()}
	var mu sync.Mutex
	rng := rand.New(rand.NewSource(1))
	sometimes := func(*http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		return rng.Intn(60) == 0
	}
	survive(t, c, func() {
		for _, action := range []faultproxy.Action{
			faultproxy.Status(503, "SlowDown"), faultproxy.Status(500, "InternalError"), faultproxy.ResetBefore(), faultproxy.ResetAfter(),
			faultproxy.Truncate(-1), faultproxy.Slow(1000, 5*time.Millisecond),
		} {
			proxy.Inject(faultproxy.Rule{Match: sometimes, Action: action})
		}
		time.Sleep(time.Duration(3*disturbances()) * time.Second)
		proxy.Heal()
	})
	require.NotZero(t, proxy.Fired())
}

func TestSurvivesPostgres(t *testing.T) {
	testservers.Need(t)
	for name, signal := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			server := testservers.Own(t, "postgres")
			c := s3Config(testservers.Shared(t, "s3"))
			c.Catalog = server.Vars["POSTGRES_URI"]
			survive(t, c, kills(t, server, "server", signal, disturbances()))
		})
	}
}

func TestSurvivesHDFS(t *testing.T) {
	testservers.Need(t)
	for _, fault := range []struct {
		name, process string
		signal        syscall.Signal
	}{
		{"datanode killed", "datanode1", syscall.SIGKILL}, {"datanode stopped", "datanode1", syscall.SIGSTOP},
		{"namenode killed", "namenode", syscall.SIGKILL},
	} {
		t.Run(fault.name, func(t *testing.T) {
			server := testservers.Own(t, "hdfs", "HDFS_DATANODES=3")
			survive(t, hdfsOn(t, server), kills(t, server, fault.process, fault.signal, disturbances()))
		})
	}
}

// TestErasureCodedLake kills one of three datanodes and reads everything back from what XOR-2-1 left.
func TestErasureCodedLake(t *testing.T) {
	testservers.Need(t)
	server := testservers.Own(t, "hdfs", hdfsSettings()...)
	c := webHDFSOn(t, server)
	s := &survivor{config: c, acknowledged: map[int]bool{}}
	lake := openConfig(t, c)
	_, err := lake.Create(t.Context(), firn.TableSpec{Name: "web"})
	require.NoError(t, err)
	for range 4 {
		s.write(t, lake)
	}
	require.Empty(t, s.failures)
	// HDFS acknowledges a file when its data blocks are written; parity that could not be written at once follows in the background.
	require.Eventually(t, func() bool { return lowRedundancy(t, server) == 0 }, time.Minute, 500*time.Millisecond)
	server.Signal(t, "datanode0", syscall.SIGKILL)
	s.check(t)
	server.Up(t)
}

// lowRedundancy returns how many erasure coded block groups lack blocks.
func lowRedundancy(t *testing.T, server *testservers.Server) int {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.Vars["HDFS_HTTP"]+"/jmx?qry=Hadoop:service=NameNode,name=ECBlockGroupsState", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Beans []struct{ LowRedundancyECBlockGroups *int }
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	require.Len(t, answer.Beans, 1)
	require.NotNil(t, answer.Beans[0].LowRedundancyECBlockGroups)
	return *answer.Beans[0].LowRedundancyECBlockGroups
}
