package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"
)

// Listing an Iceberg REST catalog: namespaces are walked one after the other, their tables listed side by side.

func (b *restBackend) listTables(ctx context.Context) ([]pointer, error) {
	var mu sync.Mutex
	var found []pointer
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(restConnections)
	err := b.walkNamespaces(ctx, nil, func(levels []string) {
		group.Go(func() error {
			var tables []pointer
			err := b.pages(ctx, append(b.namespacePath(levels), "tables"), url.Values{}, func(page restPage) {
				for _, id := range page.Identifiers {
					tables = append(tables, pointer{ident: table.Identifier{strings.Join(id.Namespace, "."), id.Name}})
				}
			})
			mu.Lock()
			defer mu.Unlock()
			found = append(found, tables...)
			return err
		})
	})
	if err = errors.Join(err, group.Wait()); err != nil {
		return nil, fmt.Errorf("listing the catalog: %w", err)
	}
	slices.SortFunc(found, func(a, b pointer) int { return strings.Compare(fullName(a.ident), fullName(b.ident)) })
	return found, nil
}

// locations loads every table: the protocol has no other way to tell where they lie.
func (b *restBackend) locations(ctx context.Context) ([]pointer, error) {
	tables, err := b.listTables(ctx)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(restConnections)
	for i := range tables {
		group.Go(func() error {
			var answer loadAnswer
			_, err := b.client.do(ctx, restRequest{method: http.MethodGet, path: b.tablePath(tables[i].ident),
				query: url.Values{"snapshots": {"refs"}}, answer: &answer})
			if err != nil && statusOf(err) != http.StatusNotFound {
				return fmt.Errorf("loading table %s: %w", fullName(tables[i].ident), err)
			}
			tables[i].location = answer.Location
			return nil
		})
	}
	return tables, group.Wait()
}

// restPage is a page of a list.
type restPage struct {
	Namespaces  [][]string `json:"namespaces"`
	Identifiers []struct {
		Namespace []string `json:"namespace"`
		Name      string   `json:"name"`
	} `json:"identifiers"`
	Next string `json:"next-page-token"`
}

// pages reads a list to its end. A list below something that is gone by now is empty.
func (b *restBackend) pages(ctx context.Context, at []string, query url.Values, each func(page restPage)) error {
	seen := map[string]bool{}
	for {
		var page restPage
		_, err := b.client.do(ctx, restRequest{method: http.MethodGet, path: at, query: query, answer: &page})
		if statusOf(err) == http.StatusNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		each(page)
		if page.Next == "" {
			return nil
		}
		if seen[page.Next] {
			return fmt.Errorf("%w: the pages of %s go round in a circle", errAnswer, path.Join(at...))
		}
		seen[page.Next] = true
		query.Set("pageToken", page.Next)
	}
}

// walkNamespaces visits all namespaces below a parent, depth first.
func (b *restBackend) walkNamespaces(ctx context.Context, parent []string, visit func(levels []string)) error {
	query := url.Values{}
	if len(parent) > 0 {
		separator, err := url.PathUnescape(b.separator)
		if err != nil {
			separator = b.separator
		}
		query.Set("parent", strings.Join(parent, separator))
	}
	var children [][]string
	if err := b.pages(ctx, []string{"namespaces"}, query, func(page restPage) { children = append(children, page.Namespaces...) }); err != nil {
		return err
	}
	for _, child := range children {
		if len(child) <= len(parent) { // a server without nested namespaces that does not look at the parameter
			continue
		}
		visit(child)
		if err := b.walkNamespaces(ctx, child, visit); err != nil {
			return err
		}
	}
	return nil
}
