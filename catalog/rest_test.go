package catalog

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
	"github.com/firnlog/firn/storage/local"
	"github.com/firnlog/firn/storage/mem"
	"github.com/firnlog/firn/storage/metered"
)

type hook = func(w http.ResponseWriter, r *http.Request) bool

// newRESTLake opens a lake on a REST server within the process.
func newRESTLake(t *testing.T) (lake, *restServer) {
	t.Helper()
	dir := t.TempDir()
	files, err := local.New(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, files.Close()) })
	s := newRESTServer(t, dir, files)
	l := lake{dir: dir, store: files, uri: s.URL}.open(t)
	quick(l)
	return l, s
}

// quick takes the waiting out.
func quick(l lake) {
	noWait := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	l.Catalog.wait, l.backend.(*restBackend).client.wait = noWait, noWait
}

func once(do hook) hook {
	var done atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) bool { return !done.Swap(true) && do(w, r) }
}

func posts(do hook) hook {
	return func(w http.ResponseWriter, r *http.Request) bool { return r.Method == http.MethodPost && do(w, r) }
}

func answer(status int) hook {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		failWith(w, status, "TestException", "as the test wants it")
		return true
	}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) bool {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
	return true
}

// cutOff answers with half of a document.
func cutOff(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"metadata-location": "`)
	return true
}

// garble answers with something else than JSON, as proxies do.
func garble(w http.ResponseWriter, _ *http.Request) bool {
	_, _ = io.WriteString(w, "<html>all is well</html>")
	return true
}

func TestRequestsToARESTCatalog(t *testing.T) {
	ctx := context.Background()
	dir, counted := t.TempDir(), metered.New(mem.New())
	s := newRESTServer(t, dir, counted)
	l := lake{dir: dir, store: counted, uri: s.URL + "/?warehouse=lake"}.open(t)
	require.Equal(t, []string{"GET config"}, s.taken())
	tbl := l.create(t, TableSpec{Name: "web"})
	require.Equal(t, []string{"POST namespaces/default/tables", "POST namespaces", "POST namespaces/default/tables"}, s.taken())
	const load, commit = "GET namespaces/default/tables/web", "POST namespaces/default/tables/web"
	for range 3 {
		before := counted.Counts()
		var err error
		tbl, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
		require.NoError(t, err)
		require.Equal(t, []string{load, commit}, s.taken())
		cost := counted.Counts().Sub(before)
		require.EqualValues(t, 1+3, cost.Creates, "the data file, manifest and manifest list of ours, metadata.json of the server's")
		require.Zero(t, cost.Requests)
	}
	require.Len(t, mustFiles(t, tbl), 3)
	require.Empty(t, s.taken())

	cold := lake{dir: dir, store: counted, uri: s.URL}.open(t)
	s.taken()
	before := counted.Counts()
	seen, err := cold.Load(ctx, "web")
	require.NoError(t, err)
	require.Len(t, mustFiles(t, seen), 3)
	require.Equal(t, []string{load}, s.taken())
	require.EqualValues(t, 1+3, counted.Counts().Sub(before).Requests, "the manifest list and the manifests, no metadata.json")
	again, err := seen.Refresh(ctx)
	require.NoError(t, err)
	require.Same(t, seen, again)
	require.Equal(t, []string{load}, s.taken())
	s.etags = false
	for range 2 {
		again, err = seen.Refresh(ctx)
		require.NoError(t, err)
		require.Same(t, seen, again, "also from a server without ETags")
	}
}

// TestOutcomesOfRESTCommits lets a commit end in all ways that a server, a proxy and a network know.
func TestOutcomesOfRESTCommits(t *testing.T) {
	for name, c := range map[string]struct {
		before, after hook
		err           error // nil: committed in the end
		commits       int   // requests
	}{
		"conflict":                             {before: posts(once(answer(409))), commits: 2},
		"throttled":                            {before: posts(once(answer(429))), commits: 2},
		"refused":                              {before: posts(once(answer(400))), err: errNotCommitted, commits: 1},
		"forbidden":                            {before: posts(once(answer(403))), err: errNotCommitted, commits: 1},
		"not processable":                      {before: posts(once(answer(422))), err: errNotCommitted, commits: 1},
		"gone":                                 {before: posts(once(answer(404))), err: ErrTableNotFound, commits: 1},
		"not implemented":                      {before: posts(once(answer(501))), err: errNotCommitted, commits: 1},
		"failed before":                        {before: posts(once(answer(500))), commits: 2},
		"gateway failed before":                {before: posts(once(answer(502))), commits: 2},
		"hung up before":                       {before: posts(once(hangUp)), commits: 2},
		"failed after":                         {after: once(answer(500)), commits: 1},
		"not available, but done":              {after: once(answer(503)), commits: 1},
		"gateway timed out after":              {after: once(answer(504)), commits: 1},
		"hung up after":                        {after: once(hangUp), commits: 1},
		"cut off":                              {after: once(cutOff), commits: 1},
		"garbled":                              {after: once(garble), commits: 1},
		"hung up after, and loads fail twice":  {after: once(hangUp), before: failLoads(2, hangUp), commits: 1},
		"hung up after, and loads not allowed": {after: once(hangUp), before: failLoads(1000, answer(500)), err: ErrCommitUnknown, commits: 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			l, s := newRESTLake(t)
			tbl := l.create(t, TableSpec{Name: "web"})
			file := oneFile(t, l, tbl)
			waits := 0
			l.Catalog.wait = func(ctx context.Context, _ time.Duration) error {
				if waits++; waits > 50 {
					return context.DeadlineExceeded
				}
				return ctx.Err()
			}
			s.set(c.before, c.after)
			s.taken()
			_, err := tbl.Append(ctx, file, AppendOptions{})
			s.set(nil, nil)
			commits := 0
			for _, request := range s.taken() {
				if strings.HasPrefix(request, "POST") {
					commits++
				}
			}
			require.Equal(t, c.commits, commits)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				if !errors.Is(c.err, ErrCommitUnknown) {
					require.ErrorContains(t, err, "as the test wants it")
					requireNoMoreThan(t, l, 0)
					return
				}
			} else {
				require.NoError(t, err)
			}
			requireNoMoreThan(t, l, 1)
		})
	}
}

// failLoads lets loads fail after the first commit.
func failLoads(times int64, how hook) hook {
	var committed atomic.Bool
	var failed atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			committed.Store(true)
			return false
		}
		return committed.Load() && failed.Add(1) <= times && how(w, r)
	}
}

// requireNoMoreThan wants exactly so many files and snapshots, seen by another process.
func requireNoMoreThan(t *testing.T, l lake, want int) {
	t.Helper()
	fresh, err := l.open(t).Load(context.Background(), "web")
	require.NoError(t, err)
	files, _ := totalRows(t, fresh)
	require.Equal(t, want, files)
	require.Len(t, fresh.Snapshots(), want)
}

// TestRESTServerRestarts closes the server's port for a while: what was not sent is sent later.
func TestRESTServerRestarts(t *testing.T) {
	ctx := context.Background()
	l, s := newRESTLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	address := s.Listener.Addr().String()
	s.Config.SetKeepAlivesEnabled(false)
	s.Server.CloseClientConnections()
	s.Server.Close()
	waits := 0
	b := l.backend.(*restBackend)
	b.client.wait = func(ctx context.Context, _ time.Duration) error {
		if waits++; waits == 3 {
			s.Server = restart(t, address, s)
		}
		return ctx.Err()
	}
	tbl, err := tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	require.Equal(t, 3, waits)
	require.Len(t, mustFiles(t, tbl), 1)
	s.Server.Close()
	b.client.wait = func(context.Context, time.Duration) error { return context.DeadlineExceeded }
	_, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.ErrorIs(t, err, errNotCommitted)
	require.ErrorIs(t, err, errNotSent)
	require.NotErrorIs(t, err, ErrCommitUnknown)
}

func restart(t *testing.T, address string, handler http.Handler) *httptest.Server {
	t.Helper()
	listener, err := listen(address)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(handler)
	require.NoError(t, s.Listener.Close())
	s.Listener = listener
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func TestTablesOutsideTheLake(t *testing.T) {
	ctx := context.Background()
	l, s := newRESTLake(t)
	tbl := l.create(t, TableSpec{Name: "web"})
	inner := lake{dir: l.dir, store: elsewhere{mem.New(), "s3://bucket/lake"}, uri: s.URL}.open(t)
	_, err := inner.Load(ctx, "web")
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorContains(t, err, tbl.Location())
	require.ErrorContains(t, err, "s3://bucket/lake")

	// A server that puts tables where it likes.
	s.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/tables") && r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			body = bytes.ReplaceAll(body, []byte("s3://bucket/lake/"), []byte(l.store.URI("")+"/mine/"))
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		return false
	}, nil)
	_, err = inner.Create(ctx, TableSpec{Name: "new"})
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = inner.Load(ctx, "new")
	require.ErrorIs(t, err, ErrTableNotFound, "it is not left behind")
}

func TestRESTCredentials(t *testing.T) {
	ctx := context.Background()
	var log bytes.Buffer
	dir := t.TempDir()
	store, err := local.New(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	s := newRESTServer(t, dir, store)
	fetched, valid := 0, ""
	s.set(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/oauth/tokens") {
			_ = r.ParseForm()
			if r.Form.Get("client_id") != "me" || r.Form.Get("client_secret") != "s3cr3t:x" || r.Form.Get("scope") != "all" {
				failWith(w, http.StatusUnauthorized, "invalid_client", "who are you?")
				return true
			}
			fetched++
			valid = fmt.Sprint("t0k3n", fetched)
			_, _ = fmt.Fprintf(w, `{"access_token": %q, "expires_in": 3600}`, valid)
			return true
		}
		if r.Header.Get("Authorization") != "Bearer "+valid {
			failWith(w, http.StatusUnauthorized, "NotAuthorizedException", "who are you?")
			return true
		}
		return false
	}, nil)
	open := func(options RESTOptions) (*Catalog, error) {
		return Open(ctx, Options{Store: store, URI: s.URL + "?scope=all", REST: options,
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	}
	_, err = open(RESTOptions{})
	require.ErrorContains(t, err, "who are you?")
	for _, options := range []RESTOptions{{Credential: "me:wr0ng"}, {Token: "wr0ng"}} {
		_, err = open(options)
		require.ErrorContains(t, err, "who are you?")
		require.NotContains(t, err.Error(), "wr0ng")
	}
	t.Setenv(envCredential, "me:s3cr3t:x")
	c, err := open(RESTOptions{})
	require.NoError(t, err)
	l := lake{Catalog: c, dir: dir, store: store}
	tbl, err := c.Create(ctx, TableSpec{Name: "web"})
	require.NoError(t, err)
	require.Equal(t, 1, fetched)
	valid = "something else" // the server has forgotten the token
	tbl, err = tbl.Append(ctx, oneFile(t, l, tbl), AppendOptions{})
	require.NoError(t, err)
	require.Equal(t, 2, fetched)
	require.Len(t, mustFiles(t, tbl), 1)
	require.NoError(t, c.Close())
	t.Setenv(envCredential, "")
	t.Setenv(envToken, valid)
	c, err = open(RESTOptions{})
	require.NoError(t, err)
	valid = "something else"
	_, err = c.Load(ctx, "web")
	require.ErrorContains(t, err, "who are you?")
	require.NoError(t, c.Close())
	for _, hidden := range []string{"s3cr3t", "t0k3n"} {
		require.NotContains(t, log.String(), hidden)
		require.NotContains(t, err.Error(), hidden)
	}
}

func TestRESTOverTLS(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	store, err := local.New(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	plain := newRESTServer(t, dir, store)
	secure := httptest.NewUnstartedServer(plain)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	secure.StartTLS()
	defer secure.Close()
	_, err = Open(ctx, Options{Store: store, URI: secure.URL})
	require.ErrorContains(t, err, "certificate")
	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	c, err := Open(ctx, Options{Store: store, URI: secure.URL + "?ca=" + authority})
	require.NoError(t, err)
	_, err = c.Create(ctx, TableSpec{Name: "web"})
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestRESTErrors(t *testing.T) {
	wrapped := func(err error) error { return &url.Error{Op: "Post", URL: "http://x/", Err: err} }
	for _, c := range []struct {
		err                  error
		unsent, away, futile bool
	}{
		{err: wrapped(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), unsent: true, away: true},
		{err: wrapped(&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}), unsent: true, away: true, futile: true},
		{err: wrapped(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), away: true},
		{err: wrapped(io.EOF), away: true},
		{err: wrapped(context.DeadlineExceeded), away: true},
		{err: wrapped(context.Canceled)},
		{err: wrapped(&tls.CertificateVerificationError{Err: errors.New("x")}), unsent: true, away: true, futile: true},
		{err: wrapped(tls.RecordHeaderError{}), unsent: true, away: true, futile: true},
		{err: &restStatus{status: 503}, away: true},
		{err: &restStatus{status: 500}},
		{err: &restStatus{status: 404}},
		{err: errAnswer},
	} {
		require.Equal(t, c.unsent, errors.Is(notSent(c.err), errNotSent), "%v", c.err)
		require.Equal(t, c.away, restAway(c.err), "%v", c.err)
		require.Equal(t, c.futile, hopeless(c.err), "%v", c.err)
	}
}

func TestNestedNamespaces(t *testing.T) {
	ctx := context.Background()
	l, s := newRESTLake(t)
	names := []string{"a.t1", "a.t2", "a.t3", "b.t1", "c.t1", "default.t4"}
	for _, name := range names {
		l.create(t, TableSpec{Name: name})
	}
	// Another engine's namespace of two levels.
	metadata, err := newMetadata(TableSpec{Name: "x"}, storage.Store(l.store).URI("a/deep/x"))
	require.NoError(t, err)
	_, err = s.tables.createTable(ctx, []string{"a.deep", "x"}, metadata)
	require.NoError(t, err)
	found, err := l.List(ctx)
	require.NoError(t, err)
	require.Equal(t, append([]string{"a.deep.x"}, names...), found)
	tbl, err := l.Load(ctx, "a.deep.x")
	require.NoError(t, err)
	_, err = tbl.SetProperties(ctx, map[string]string{"a": "b"})
	require.NoError(t, err)
	// The table a.deep.x lies in what the index of another table calls its own.
	l.create(t, TableSpec{Name: "bad", Properties: map[string]string{PropertyIndexLocation: l.store.URI("a")}})
	require.ErrorIs(t, l.Drop(ctx, "bad"), ErrFilesKept)
	require.NoError(t, l.Drop(ctx, "a.deep.x"))
}
