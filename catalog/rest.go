package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/firnlog/firn/storage"
)

// restBackend is an Iceberg REST catalog. The server keeps metadata.json; everything else is read and written through the lake's own
// store, never through credentials or settings that the server hands out, so that data and metadata cannot be at odds.
//
// A load is one request, which answers with the metadata itself, and with nothing at all if the server knows ETags and the table has
// not changed. A commit is that and one more request.
type restBackend struct {
	client    *restClient
	store     storage.Store
	logger    *slog.Logger
	separator string // between the levels of a namespace, escaped

	mu     sync.Mutex
	loaded map[string]*restTable // by full name
}

// restTable is the latest state of a table that was seen.
type restTable struct {
	etag     string
	location string // of its metadata
	metadata table.Metadata
}

// openREST asks a server for its settings.
func openREST(ctx context.Context, opts Options, logger *slog.Logger) (*restBackend, error) {
	parsed, err := url.Parse(opts.URI)
	if err != nil || parsed.Host == "" {
		return nil, fmt.Errorf("%w: catalog URI: write http(s)://host[:port][/path]?warehouse=…", ErrInvalid)
	}
	query := parsed.Query()
	shown := &url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}
	if parsed.User != nil || query.Has("token") || query.Has("credential") {
		return nil, fmt.Errorf("%w: catalog URI %q: a secret does not belong in a URI, which is logged: use the environment variables %s or %s",
			ErrInvalid, shown, envToken, envCredential)
	}
	config, err := opts.REST.tlsConfig(query)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: newRESTTransport(config)}
	server := query.Get("oauth2-server-uri")
	if server == "" {
		server = shown.JoinPath("v1", "oauth", "tokens").String()
	}
	b := &restBackend{
		client: &restClient{
			base: shown, prefix: query.Get("prefix"), http: client, wait: sleep, now: opts.Now,
			auth: newRESTAuth(client, opts.REST, query, server, opts.Now),
		},
		store: opts.Store, logger: logger, separator: "%1F", loaded: map[string]*restTable{},
	}
	if err := b.configure(ctx, query.Get("warehouse")); err != nil {
		b.client.close()
		return nil, fmt.Errorf("opening the catalog %s: %w", shown, err)
	}
	return b, nil
}

// configure asks for the settings that the server wants its clients to have.
func (b *restBackend) configure(ctx context.Context, warehouse string) error {
	query := url.Values{}
	if warehouse != "" {
		query.Set("warehouse", warehouse)
	}
	var answer struct {
		Defaults  map[string]string `json:"defaults"`
		Overrides map[string]string `json:"overrides"`
	}
	if _, err := b.client.do(ctx, restRequest{method: http.MethodGet, path: []string{"config"}, root: true, query: query, answer: &answer}); err != nil {
		return err
	}
	setting := func(key, ours string) string {
		if value, ok := answer.Overrides[key]; ok {
			return value
		}
		if ours == "" {
			return answer.Defaults[key]
		}
		return ours
	}
	b.client.prefix = setting("prefix", b.client.prefix)
	if separator := setting("namespace-separator", ""); separator != "" {
		b.separator = separator
	}
	if setting("rest.sigv4-enabled", "") == "true" {
		return fmt.Errorf("%w: the server wants requests signed for AWS", ErrUnsupported)
	}
	if elsewhere := answer.Overrides["uri"]; elsewhere != "" {
		moved, err := url.Parse(elsewhere)
		if err != nil || moved.Host == "" || b.client.base.Scheme == "https" && moved.Scheme != "https" {
			return fmt.Errorf("%w: the server sends its clients to %q", ErrUnsupported, elsewhere)
		}
		b.client.base = &url.URL{Scheme: moved.Scheme, Host: moved.Host, Path: moved.Path}
	}
	return nil
}

// namespacePath returns the path of a namespace, escaped.
func (b *restBackend) namespacePath(levels []string) []string {
	escaped := make([]string, len(levels))
	for i, level := range levels {
		escaped[i] = url.PathEscape(level)
	}
	return []string{"namespaces", strings.Join(escaped, b.separator)}
}

func (b *restBackend) tablePath(ident table.Identifier) []string {
	namespace, name := split(ident)
	return append(b.namespacePath(strings.Split(namespace, ".")), "tables", url.PathEscape(name))
}

// loadAnswer is a table as the server describes it. What it holds about storage and credentials is not read.
type loadAnswer struct {
	Location string          `json:"metadata-location"`
	Metadata json.RawMessage `json:"metadata"`
}

// LoadTable implements table.CatalogIO.
func (b *restBackend) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	if strings.Contains(fullName(ident), "/") { // servers refuse the path, escaped or not
		return nil, fmt.Errorf("%w: %s", ErrTableNotFound, fullName(ident))
	}
	known := b.known(ident)
	request := restRequest{method: http.MethodGet, path: b.tablePath(ident), answer: &loadAnswer{}}
	if known != nil {
		request.etag = known.etag
	}
	header, err := b.client.do(ctx, request)
	switch status := statusOf(err); {
	case status == http.StatusNotModified && known != nil:
		return b.table(ident, known), nil
	case status == http.StatusNotFound:
		b.forget(ident)
		return nil, fmt.Errorf("%w: %s: %w", ErrTableNotFound, fullName(ident), err)
	case err != nil:
		return nil, fmt.Errorf("loading table %s: %w", fullName(ident), err)
	}
	return b.accept(ident, request.answer.(*loadAnswer), header.Get("ETag"))
}

// accept takes a table that the server described, if it lies where we can read it.
func (b *restBackend) accept(ident table.Identifier, answer *loadAnswer, etag string) (*table.Table, error) {
	if known := b.known(ident); known != nil && known.location == answer.Location && answer.Location != "" {
		return b.table(ident, b.remember(ident, &restTable{etag: etag, location: known.location, metadata: known.metadata})), nil
	}
	metadata, err := table.ParseMetadataBytes(answer.Metadata)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w: %w", fullName(ident), errAnswer, err)
	}
	if _, err := nameOf(b.store, strings.TrimRight(metadata.Location(), "/")); err != nil {
		return nil, fmt.Errorf("table %s of the catalog %s: %w", fullName(ident), b.client.base, err)
	}
	if answer.Location == "" {
		return nil, fmt.Errorf("table %s: %w: the catalog does not say where its metadata lies", fullName(ident), errAnswer)
	}
	return b.table(ident, b.remember(ident, &restTable{etag: etag, location: answer.Location, metadata: metadata})), nil
}

func (b *restBackend) table(ident table.Identifier, t *restTable) *table.Table {
	return table.New(ident, t.metadata, t.location, b.fileSystem, b)
}

func (b *restBackend) fileSystem(ctx context.Context) (iceio.IO, error) {
	return newFileIO(ctx, b.store, b.logger), nil
}

func (b *restBackend) known(ident table.Identifier) *restTable {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loaded[fullName(ident)]
}

func (b *restBackend) remember(ident table.Identifier, t *restTable) *restTable {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.loaded) >= metadataCacheSize {
		clear(b.loaded)
	}
	b.loaded[fullName(ident)] = t
	return t
}

func (b *restBackend) forget(ident table.Identifier) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.loaded, fullName(ident))
}

// CommitTable implements table.CatalogIO.
func (b *restBackend) CommitTable(ctx context.Context, ident table.Identifier, requirements []table.Requirement,
	updates []table.Update) (table.Metadata, string, error) {
	current, err := b.LoadTable(ctx, ident)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	return b.commitTable(ctx, current, requirements, updates, func() error { return nil })
}

// commitTable sends the updates. The server applies them if the requirements hold by then.
func (b *restBackend) commitTable(ctx context.Context, base *table.Table, requirements []table.Requirement, updates []table.Update,
	written func() error) (table.Metadata, string, error) {
	ident := base.Identifier()
	if err := written(); err != nil {
		return nil, "", fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, "", fmt.Errorf("%w: %w", errNotCommitted, err)
	}
	namespace, name := split(ident)
	request := restRequest{method: http.MethodPost, path: b.tablePath(ident), answer: &loadAnswer{}, body: map[string]any{
		"identifier":   map[string]any{"namespace": strings.Split(namespace, "."), "name": name},
		"requirements": requirements, "updates": updates,
	}}
	// From here on a cancelled context would only make the outcome unknown, so it is not listened to.
	header, err := b.client.do(context.WithoutCancel(ctx), request)
	if err != nil {
		return nil, "", b.commitError(ident, err)
	}
	committed, err := b.accept(ident, request.answer.(*loadAnswer), header.Get("ETag"))
	if err != nil {
		return nil, "", err // it was committed, but what came out of it has to be looked up
	}
	return committed.Metadata(), committed.MetadataLocation(), nil
}

// commitError says what an error means for the commit.
func (b *restBackend) commitError(ident table.Identifier, err error) error {
	named := fmt.Errorf("committing to %s: %w", fullName(ident), err)
	switch status := statusOf(err); {
	case status == http.StatusConflict || status == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %w", table.ErrCommitFailed, named)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %w: %w", errNotCommitted, ErrTableNotFound, named)
	case status == http.StatusRequestTimeout || status == 0 && !errors.Is(err, errNotSent):
		return named
	case status >= 500 && status != http.StatusNotImplemented:
		return named
	}
	return fmt.Errorf("%w: %w", errNotCommitted, named)
}

// skew implements backend. Java's server dates the table by its own clock, and refuses snapshots that are a minute ahead of it.
func (b *restBackend) skew() time.Duration { return time.Duration(b.client.skew.Load()) }

// cleansUp implements backend: the server that writes metadata.json also deletes it.
func (b *restBackend) cleansUp() bool { return true }

func (b *restBackend) close() error {
	b.client.close()
	return nil
}
