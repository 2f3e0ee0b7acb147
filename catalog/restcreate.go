package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// createTable makes a table at the location that its metadata names. Servers that put it elsewhere are obeyed as long as that is
// within the lake.
func (b *restBackend) createTable(ctx context.Context, ident table.Identifier, metadata table.Metadata) (*table.Table, error) {
	namespace, name := split(ident)
	levels := strings.Split(namespace, ".")
	properties := iceberg.Properties{}
	for key, value := range metadata.Properties() {
		properties[key] = value
	}
	properties[table.PropertyFormatVersion] = fmt.Sprint(metadata.Version())
	spec, order := metadata.PartitionSpec(), metadata.SortOrder()
	request := restRequest{
		method: http.MethodPost, path: append(b.namespacePath(levels), "tables"), answer: &loadAnswer{},
		body: map[string]any{
			"name": name, "location": metadata.Location(), "schema": metadata.CurrentSchema(), "partition-spec": &spec,
			"write-order": &order, "stage-create": false, "properties": properties,
		},
	}
	header, err := b.client.do(ctx, request)
	if statusOf(err) == http.StatusNotFound {
		if err := b.createNamespace(ctx, levels); err != nil {
			return nil, err
		}
		header, err = b.client.do(ctx, request)
	}
	switch status := statusOf(err); {
	case status == http.StatusConflict:
		return nil, fmt.Errorf("%w: %s: %w", ErrTableExists, fullName(ident), err)
	case err != nil && (status == 0 && !errors.Is(err, errNotSent) || status >= 500):
		return nil, fmt.Errorf("creating table %s: %w: %w", fullName(ident), ErrCommitUnknown, err)
	case err != nil:
		return nil, fmt.Errorf("creating table %s: %w", fullName(ident), err)
	}
	b.forget(ident)
	created, err := b.accept(ident, request.answer.(*loadAnswer), header.Get("ETag"))
	if errors.Is(err, ErrUnsupported) { // the server has its own mind about where tables lie
		if dropErr := b.dropTable(context.WithoutCancel(ctx), ident); dropErr != nil {
			err = fmt.Errorf("%w; dropping it again: %w", err, dropErr)
		}
	}
	return created, err
}

// createNamespace makes a namespace and those above it.
func (b *restBackend) createNamespace(ctx context.Context, levels []string) error {
	for depth := 1; depth <= len(levels); depth++ {
		_, err := b.client.do(ctx, restRequest{method: http.MethodPost, path: []string{"namespaces"},
			body: map[string]any{"namespace": levels[:depth], "properties": map[string]string{}}})
		if err != nil && statusOf(err) != http.StatusConflict {
			return fmt.Errorf("adding namespace %s to the catalog: %w", strings.Join(levels[:depth], "."), err)
		}
	}
	return nil
}

func (b *restBackend) dropTable(ctx context.Context, ident table.Identifier) error {
	_, err := b.client.do(ctx, restRequest{method: http.MethodDelete, path: b.tablePath(ident), query: url.Values{"purgeRequested": {"false"}}})
	switch {
	case statusOf(err) == http.StatusNotFound:
		return fmt.Errorf("%w: %s: %w", ErrTableNotFound, fullName(ident), err)
	case err != nil:
		return fmt.Errorf("removing %s from the catalog: %w", fullName(ident), err)
	}
	b.forget(ident)
	return nil
}
