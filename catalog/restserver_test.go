package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// restServer is an Iceberg REST catalog over the same pointers as firn's own: as much of the protocol as firn speaks.
type restServer struct {
	*httptest.Server
	tables   *pointerBackend
	prefix   string
	pageSize int
	etags    bool

	mu         sync.Mutex
	namespaces map[string]bool
	requests   []string                                          // "GET namespaces/default/tables/web", in order
	intercept  func(w http.ResponseWriter, r *http.Request) bool // true: the request is done with
	after      func(w http.ResponseWriter, r *http.Request) bool // after a commit was carried out, before it is answered
}

func newRESTServer(t testing.TB, dir string, store storage.Store) *restServer {
	t.Helper()
	pointers, err := openSQLite(context.Background(), "sqlite://"+filepath.Join(dir, "catalog.db"), "firn")
	require.NoError(t, err)
	s := &restServer{prefix: "some/prefix", pageSize: 2, etags: true, namespaces: map[string]bool{}}
	s.tables, err = newPointerBackend(store, pointers, discardLogger())
	require.NoError(t, err)
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		require.NoError(t, pointers.close())
	})
	return s
}

// taken returns the requests so far, and forgets them.
func (s *restServer) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

// set changes what happens to requests.
func (s *restServer) set(intercept, after func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept, s.after = intercept, after
}

func (s *restServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := strings.TrimPrefix(r.URL.EscapedPath(), "/v1/")
	at = strings.TrimPrefix(at, s.prefix+"/")
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+at)
	intercept, after := s.intercept, s.after
	s.mu.Unlock()
	if intercept != nil && intercept(w, r) {
		return
	}
	parts := strings.Split(at, "/")
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i])
	}
	answer, err := s.handle(r, parts)
	if err == nil && r.Method == http.MethodPost && after != nil && after(w, r) {
		return
	}
	if err != nil {
		fail(w, err)
		return
	}
	if loaded, ok := answer.(*table.Table); ok {
		s.answerTable(w, r, loaded)
		return
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *restServer) answerTable(w http.ResponseWriter, r *http.Request, loaded *table.Table) {
	if s.etags {
		etag := `W/"` + loaded.MetadataLocation() + `"`
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"metadata-location": loaded.MetadataLocation(), "metadata": loaded.Metadata(),
		"config": map[string]string{"s3.access-key-id": "not ours"},
	})
}

func fail(w http.ResponseWriter, err error) {
	status, kind := http.StatusInternalServerError, "ServerError"
	switch {
	case errors.Is(err, table.ErrCommitFailed):
		status, kind = http.StatusConflict, "CommitFailedException"
	case errors.Is(err, ErrTableExists):
		status, kind = http.StatusConflict, "AlreadyExistsException"
	case errors.Is(err, ErrTableNotFound):
		status, kind = http.StatusNotFound, "NoSuchTableException"
	case errors.Is(err, errNotCommitted), errors.Is(err, ErrInvalid):
		status, kind = http.StatusBadRequest, "BadRequestException"
	}
	failWith(w, status, kind, err.Error())
}

func failWith(w http.ResponseWriter, status int, kind, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": kind, "code": status}})
}

func (s *restServer) handle(r *http.Request, parts []string) (any, error) {
	ctx := context.WithoutCancel(r.Context())
	switch {
	case parts[0] == "config":
		return map[string]any{"defaults": map[string]string{}, "overrides": map[string]string{"prefix": s.prefix}}, nil
	case len(parts) == 1 && r.Method == http.MethodGet:
		return s.listNamespaces(ctx, r.URL.Query())
	case len(parts) == 1:
		var body struct{ Namespace []string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.namespaces[strings.Join(body.Namespace, ".")] = true
		return map[string]any{"namespace": body.Namespace, "properties": map[string]string{}}, nil
	}
	namespace := strings.ReplaceAll(parts[1], "\x1f", ".")
	switch {
	case len(parts) == 3 && r.Method == http.MethodGet:
		return s.listTables(ctx, namespace, r.URL.Query())
	case len(parts) == 3:
		return s.create(ctx, namespace, r)
	}
	ident := table.Identifier{namespace, parts[3]}
	switch r.Method {
	case http.MethodGet:
		return s.tables.LoadTable(ctx, ident)
	case http.MethodDelete:
		return nil, s.tables.dropTable(ctx, ident)
	}
	var body struct {
		Requirements table.Requirements
		Updates      table.Updates
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	before, err := s.tables.LoadTable(ctx, ident)
	if err != nil {
		return nil, err
	}
	metadata, location, err := s.tables.CommitTable(ctx, ident, body.Requirements, body.Updates)
	if err != nil {
		return nil, err
	}
	for old := range before.Metadata().PreviousFiles() { // as Java's server does it
		if metadata.Properties()[table.MetadataDeleteAfterCommitEnabledKey] == "true" &&
			!slices.ContainsFunc(slices.Collect(metadata.PreviousFiles()), func(e table.MetadataLogEntry) bool { return e.MetadataFile == old.MetadataFile }) {
			s.tables.discard(ctx, old.MetadataFile)
		}
	}
	return table.New(ident, metadata, location, s.tables.fileSystem, nil), nil
}

func (s *restServer) create(ctx context.Context, namespace string, r *http.Request) (any, error) {
	var body struct {
		Name, Location string
		Schema         *iceberg.Schema
		Spec           *iceberg.PartitionSpec `json:"partition-spec"`
		Order          *table.SortOrder       `json:"write-order"`
		Properties     iceberg.Properties
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	s.mu.Lock()
	known := s.namespaces[namespace]
	s.mu.Unlock()
	if !known {
		return nil, ErrTableNotFound
	}
	metadata, err := table.NewMetadata(body.Schema, body.Spec, *body.Order, body.Location, body.Properties)
	if err != nil {
		return nil, err
	}
	return s.tables.createTable(ctx, table.Identifier{namespace, body.Name}, metadata)
}

func (s *restServer) listNamespaces(ctx context.Context, query url.Values) (any, error) {
	found := map[string]bool{}
	pointers, err := s.tables.listTables(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	all := maps.Clone(s.namespaces)
	s.mu.Unlock()
	for _, p := range pointers {
		all[p.ident[0]] = true
	}
	parent := strings.ReplaceAll(query.Get("parent"), "\x1f", ".")
	for name := range all {
		below, ok := name, true
		if parent != "" {
			below, ok = strings.CutPrefix(name, parent+".")
		}
		if first, _, _ := strings.Cut(below, "."); ok {
			found[strings.TrimPrefix(parent+"."+first, ".")] = true
		}
	}
	names, next := s.page(slices.Sorted(maps.Keys(found)), query)
	list := make([][]string, len(names))
	for i, name := range names {
		list[i] = strings.Split(name, ".")
	}
	return map[string]any{"namespaces": list, "next-page-token": next}, nil
}

func (s *restServer) listTables(ctx context.Context, namespace string, query url.Values) (any, error) {
	pointers, err := s.tables.listTables(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range pointers {
		if p.ident[0] == namespace {
			names = append(names, p.ident[1])
		}
	}
	names, next := s.page(names, query)
	list := []map[string]any{}
	for _, name := range names {
		list = append(list, map[string]any{"namespace": strings.Split(namespace, "."), "name": name})
	}
	return map[string]any{"identifiers": list, "next-page-token": next}, nil
}

// page cuts a sorted list; the token is the last name of the page before.
func (s *restServer) page(names []string, query url.Values) (page []string, next string) {
	names = slices.DeleteFunc(names, func(name string) bool { return name <= query.Get("pageToken") })
	if len(names) <= s.pageSize {
		return names, ""
	}
	return names[:s.pageSize], names[s.pageSize-1]
}

// listen waits until an address that was just closed is free.
func listen(address string) (listener net.Listener, err error) {
	for range 100 {
		if listener, err = net.Listen("tcp", address); err == nil {
			return listener, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, err
}
