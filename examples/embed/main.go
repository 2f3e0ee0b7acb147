// Command embed is a small HTTP service that logs through log/slog into a table of firn, in its own process and without any server
// beside it, and then searches its own log.
//
//	go run ./examples/embed
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/firnlog/firn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, time.Now); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// run is the whole example.
func run(ctx context.Context, out io.Writer, now func() time.Time) (err error) {
	dir, err := os.MkdirTemp("", "firn-embed-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	lake, err := firn.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()

	// A table with two typed columns of its own; everything else that is logged goes to attrs.
	table, err := lake.Create(ctx, firn.TableSpec{Name: "service", Columns: []firn.Column{
		{Name: "status", Type: firn.TypeInt}, {Name: "took_ms", Type: firn.TypeDouble},
	}})
	if err != nil {
		return err
	}
	writer, err := lake.Writer(ctx, table, firn.WriterOptions{})
	if err != nil {
		return err
	}
	handler := firn.NewSlogHandler(ctx, writer, firn.SlogOptions{AppID: "checkout", Host: "localhost"})

	// From here on it is an ordinary service with an ordinary logger.
	address, shutDown, err := serve(slog.New(handler), now)
	if err != nil {
		return errors.Join(err, handler.Close(ctx))
	}
	callErr := callService(ctx, address)
	err = errors.Join(callErr, shutDown(ctx), handler.Close(ctx)) // Close commits what is left
	if err != nil {
		return err
	}
	return report(ctx, out, lake, handler.Dropped())
}

// serve starts the service on a free port of the loopback interface.
func serve(log *slog.Logger, now func() time.Time) (address string, shutDown func(context.Context) error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/order/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil {
			http.Error(w, "not a number", http.StatusBadRequest)
			return
		}
		if id%10 == 7 {
			log.ErrorContext(r.Context(), "payment provider did not answer: connection reset by peer", "order", id, "trace_id", traceID(r))
			http.Error(w, "payment failed", http.StatusBadGateway)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	server := &http.Server{Handler: logged(mux, log, now), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	shutDown = func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if serveErr := <-done; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
		return err
	}
	return listener.Addr().String(), shutDown, nil
}

// logged logs every request when it is answered.
func logged(next http.Handler, log *slog.Logger, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := now()
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r)
		log.InfoContext(r.Context(), "request served", "status", s.status, "took_ms", float64(now().Sub(start).Microseconds())/1000,
			"trace_id", traceID(r), slog.Group("http", "method", r.Method, "path", r.URL.Path))
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func traceID(r *http.Request) string { return r.Header.Get("Trace-Id") }

// requests is how many requests the service gets.
const requests = 200

// callService sends requests, each with a trace id.
func callService(ctx context.Context, address string) error {
	for i := range requests {
		path := fmt.Sprintf("/order/%d", i)
		if i == 100 {
			path = "/order/abc"
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Trace-Id", fmt.Sprintf("trace-%04d", i))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return err
		}
	}
	return nil
}

// report searches the service's own log.
func report(ctx context.Context, out io.Writer, lake *firn.Lake, dropped int64) error {
	for _, query := range []string{"*", `"connection reset"`, "status:502", "status:400 http.path:/order/abc", "trace_id:trace-0137"} {
		n, err := lake.Count(ctx, "service", query, firn.Request{})
		if err != nil {
			return fmt.Errorf("search for %s: %w", query, err)
		}
		fmt.Fprintf(out, "%-32s %d rows\n", query, n)
	}
	// Predicates can be built as well as parsed: slow or failed requests.
	slow := firn.Or{
		firn.Compare{Column: firn.Col("took_ms"), Op: ">", Value: 1000},
		firn.Compare{Column: firn.Col("status"), Op: ">=", Value: 500},
	}
	n, err := lake.Count(ctx, "service", "*", firn.Request{Predicate: slow})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-32s %d rows\n\nThe last error, as it is stored:\n", slow, n)
	for row, err := range lake.Search(ctx, "service", "level:ERROR", firn.Request{Limit: 1}) {
		if err != nil {
			return err
		}
		text, err := row.MarshalJSON()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", text)
	}
	_, err = fmt.Fprintf(out, "\n%d records dropped\n", dropped)
	return err
}
