package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/faultproxy"
	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
)

// exercise does one of everything and checks the results.
func exercise(t *testing.T, s *Store, name string) {
	t.Helper()
	ctx := t.Context()
	data := pattern(100_000, 9)
	require.NoError(t, storage.WriteObject(ctx, s, name, data))
	back, err := storage.ReadAll(ctx, s, name)
	require.NoError(t, err)
	require.Equal(t, data, back)
	info, err := s.Stat(ctx, name)
	require.NoError(t, err)
	require.EqualValues(t, len(data), info.Size)
	listed := 0
	for info, err := range s.List(ctx, "") {
		require.NoError(t, err)
		require.Equal(t, name, info.Name)
		listed++
	}
	require.Equal(t, 1, listed)
	require.ErrorIs(t, storage.WriteObject(ctx, s, name, data), storage.ErrExist)
	require.NoError(t, s.Delete(ctx, name))
	_, err = s.Stat(ctx, name)
	require.ErrorIs(t, err, storage.ErrNotExist)
}

// TestPassingFaults makes every kind of request fail three times, in every way that passes.
func TestPassingFaults(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(o *Options) { o.RequestTimeout = 300 * time.Millisecond })
		for name, action := range map[string]faultproxy.Action{
			"500":         faultproxy.Status(500, "InternalError"),
			"502":         faultproxy.Status(502, ""),
			"503":         faultproxy.Status(503, "SlowDown"),
			"429":         faultproxy.Status(429, "TooManyRequests"),
			"timeout":     faultproxy.Status(400, "RequestTimeout"),
			"digest":      faultproxy.Status(400, "BadDigest"),
			"conflict":    faultproxy.Status(409, "ConditionalRequestConflict"),
			"reset":       faultproxy.ResetBefore(),
			"lost answer": faultproxy.ResetAfter(),
			"truncated":   faultproxy.Truncate(-1),
			"hang":        faultproxy.Hang(),
		} {
			if t.Failed() {
				return
			}
			for _, m := range []string{http.MethodGet, http.MethodPut, http.MethodHead, http.MethodDelete} {
				if m == http.MethodHead && (name == "digest" || name == "timeout" || name == "conflict") {
					continue // without a body there is no code to recognise it by
				}
				times := 3
				if name == "hang" {
					times = 1
				}
				proxy.Inject(faultproxy.Rule{Match: method(m), Times: times, Action: action})
			}
			exercise(t, s, "dir/"+name)
			require.GreaterOrEqual(t, proxy.Fired(), int64(4), name)
			proxy.Heal()
			proxy.Reset()
		}
		require.Zero(t, pending(t, s))
	})
}

// TestUploadFaults makes the requests of an upload in parts fail in every way that passes.
func TestUploadFaults(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(o *Options) { o.PartBytes, o.RequestTimeout = minPartBytes, 2*time.Second })
		data := pattern(4*s.options.PartBytes, 1)
		for name, action := range map[string]faultproxy.Action{
			"500":         faultproxy.Status(500, "InternalError"),
			"503":         faultproxy.Status(503, "SlowDown"),
			"digest":      faultproxy.Status(400, "BadDigest"),
			"conflict":    faultproxy.Status(409, "ConditionalRequestConflict"),
			"reset":       faultproxy.ResetBefore(),
			"lost answer": faultproxy.ResetAfter(),
		} {
			proxy.Inject(faultproxy.Rule{Match: method(http.MethodPut), Skip: 1, Times: 3, Action: action})
			proxy.Inject(faultproxy.Rule{Match: method(http.MethodPost), Times: 2, Action: action}) // begin
			proxy.Inject(faultproxy.Rule{Match: completes, Times: 2, Action: action})
			require.NoError(t, storage.WriteObject(t.Context(), s, name, data), name)
			require.EqualValues(t, 7, proxy.Fired(), name)
			proxy.Heal()
			proxy.Reset()
			back, err := storage.ReadAll(t.Context(), s, name)
			require.NoError(t, err)
			require.Equal(t, data, back)
		}
		// Uploads whose beginning was answered to nobody are what RemoveStale is for.
		require.LessOrEqual(t, pending(t, s, "500", "503", "digest", "conflict", "reset", "lost answer"), 2)
	})
}

// completes matches the request that completes an upload.
func completes(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

// TestResume checks that a truncated read goes on where it stopped, however often.
func TestResume(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(o *Options) { o.MaxAttempts = 3 })
		const size = 2 << 20
		data := pattern(size, 5)
		require.NoError(t, storage.WriteObject(t.Context(), s, "object", data))
		proxy.Reset()
		proxy.Inject(faultproxy.Rule{Times: 8, Action: faultproxy.Truncate(200_000)})
		back := make([]byte, size-10)
		require.NoError(t, s.ReadAt(t.Context(), "object", back, 10))
		require.Equal(t, data[10:], back)
		require.EqualValues(t, 9, proxy.Requests())
		require.Eventually(t, func() bool { return len(proxy.Log()) == 9 }, 5*time.Second, time.Millisecond)
		require.EqualValues(t, len(back), proxy.BytesOut(), "no byte was sent twice")
		require.Equal(t, "bytes=200010-2097151", proxy.Log()[1].Range)

		proxy.Inject(faultproxy.Rule{Skip: 0, Times: 2, Action: faultproxy.Truncate(-1)})
		n, total, err := s.ReadTail(t.Context(), "object", back)
		require.NoError(t, err)
		require.EqualValues(t, size, total)
		require.Equal(t, data[size-n:], back[:n])

		// Without any progress the attempts end.
		proxy.Heal()
		proxy.Inject(faultproxy.Rule{Action: faultproxy.Truncate(0)})
		proxy.Reset()
		err = s.ReadAt(t.Context(), "object", back, 0)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorContains(t, err, "after 3 attempts")
		require.EqualValues(t, 3, proxy.Requests())
	})
}

// TestReplacedWhileReading checks that a read that is resumed does not mix two objects of one name.
func TestReplacedWhileReading(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, nil)
		direct := openAt(t, s.URI(""), settings(server, ""))
		require.NoError(t, storage.WriteObject(t.Context(), direct, "object", pattern(500_000, 1)))
		var replace sync.Once
		proxy.Inject(faultproxy.Rule{Times: 1, Action: faultproxy.Truncate(-1)})
		proxy.Inject(faultproxy.Rule{Match: func(*http.Request) bool {
			replace.Do(func() {
				assert.NoError(t, direct.Delete(t.Context(), "object"))
				assert.NoError(t, storage.WriteObject(t.Context(), direct, "object", pattern(500_000, 2)))
			})
			return false
		}})
		back := make([]byte, 500_000)
		require.NoError(t, s.ReadAt(t.Context(), "object", back, 0))
		require.Equal(t, pattern(500_000, 2), back)
	})
}

// TestSlow checks that what is slow but moves is not given up, and what hangs is.
func TestSlow(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(o *Options) { o.RequestTimeout = 400 * time.Millisecond })
		data := pattern(400_000, 7)
		require.NoError(t, storage.WriteObject(t.Context(), s, "object", data))
		proxy.Reset()
		back := make([]byte, len(data))
		proxy.Inject(faultproxy.Rule{Times: 1, Action: faultproxy.Slow(20_000, 40*time.Millisecond)})
		require.NoError(t, s.ReadAt(t.Context(), "object", back, 0))
		require.Equal(t, data, back)
		clear(back)
		proxy.Inject(faultproxy.Rule{Times: 2, Action: faultproxy.HangBody(1000)})
		require.NoError(t, s.ReadAt(t.Context(), "object", back, 0))
		require.Equal(t, data, back)
		require.GreaterOrEqual(t, s.Counts().Retries, int64(2))

		proxy.Inject(faultproxy.Rule{Action: faultproxy.Hang()})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := s.ReadAt(ctx, "object", back, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "object")
	})
}

// TestLostAnswer loses the answer to the request that makes an object.
func TestLostAnswer(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		for name, c := range map[string]struct {
			parts int
			match func(*http.Request) bool
		}{
			"put":       {0, method(http.MethodPut)},
			"multipart": {1, completes},
		} {
			t.Run(name, func(t *testing.T) { testLostAnswer(t, server, c.parts, c.match) })
		}
	})
}

func testLostAnswer(t *testing.T, server *testservers.Server, parts int, match func(*http.Request) bool) {
	s, proxy := throughProxy(t, server, func(o *Options) { o.PartBytes, o.MaxAttempts = minPartBytes, 3 })
	direct := openAt(t, s.URI(""), settings(server, ""))
	ctx, data := t.Context(), pattern(1000+parts*s.options.PartBytes, 1)
	head := method(http.MethodHead)

	proxy.Inject(faultproxy.Rule{Match: match, Times: 1, Action: faultproxy.ResetAfter()})
	require.NoError(t, storage.WriteObject(ctx, s, "once", data))
	require.EqualValues(t, 1, proxy.Fired())
	proxy.Inject(faultproxy.Rule{Match: match, Action: faultproxy.ResetAfter()})
	require.NoError(t, storage.WriteObject(ctx, s, "always", data))
	require.ErrorIs(t, storage.WriteObject(ctx, s, "once", data), storage.ErrExist)
	proxy.Heal()

	// It never got to the server.
	proxy.Inject(faultproxy.Rule{Match: match, Action: faultproxy.ResetBefore()})
	err := storage.WriteObject(ctx, s, "never", data)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrUnknownOutcome)
	require.ErrorContains(t, err, "never")
	proxy.Heal()

	// Nor does anything tell what became of it.
	proxy.Inject(faultproxy.Rule{Match: match, Action: faultproxy.ResetAfter()})
	proxy.Inject(faultproxy.Rule{Match: head, Action: faultproxy.Status(500, "InternalError")})
	err = storage.WriteObject(ctx, s, "unknown", data)
	require.ErrorIs(t, err, ErrUnknownOutcome)
	proxy.Heal()

	var names []string
	for info, err := range direct.List(ctx, "") {
		require.NoError(t, err)
		back, err := storage.ReadAll(ctx, direct, info.Name)
		require.NoError(t, err)
		require.Equal(t, data, back)
		names = append(names, info.Name)
	}
	require.Equal(t, []string{"always", "once", "unknown"}, names)
	require.Zero(t, pending(t, direct, "once", "always", "never", "unknown"))
}

// TestDeniedInPassing checks that a denial is not the end for a store that was allowed to write before, and is for one that was not.
func TestDeniedInPassing(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(*Options) {})
		denied := func() {
			proxy.Inject(faultproxy.Rule{Match: method(http.MethodPut), Times: 1, Action: faultproxy.Status(403, "AccessDenied")})
		}
		denied()
		require.ErrorContains(t, storage.WriteObject(t.Context(), s, "a/first", []byte("x")), "AccessDenied")
		require.NoError(t, storage.WriteObject(t.Context(), s, "a/second", []byte("x")))
		denied()
		require.NoError(t, storage.WriteObject(t.Context(), s, "a/third", []byte("x")))
		require.EqualValues(t, 2, proxy.Fired())
	})
}

// TestFailedUpload checks that an upload that cannot succeed says so and leaves nothing.
func TestFailedUpload(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(o *Options) { o.PartBytes, o.MaxAttempts = minPartBytes, 2 })
		for _, rule := range []faultproxy.Rule{
			{Match: method(http.MethodPut), Skip: 1, Action: faultproxy.Status(403, "AccessDenied")},
			{Match: method(http.MethodPut), Skip: 2, Action: faultproxy.Status(503, "SlowDown")},
			{Match: method(http.MethodPost), Action: faultproxy.Status(403, "AccessDenied")},
			{Match: completes, Action: faultproxy.Status(507, "XMinioStorageFull")},
		} {
			proxy.Inject(rule)
			err := storage.WriteObject(t.Context(), s, "object", pattern(6*s.options.PartBytes, 1))
			require.Error(t, err)
			require.ErrorContains(t, err, `"object" in `+s.URI(""))
			require.NotErrorIs(t, err, ErrUnknownOutcome)
			proxy.Heal()
			_, err = s.Stat(t.Context(), "object")
			require.ErrorIs(t, err, storage.ErrNotExist)
			require.Zero(t, pending(t, s, "object"))
		}
	})
}

// TestOneWinner lets 16 writers, small and large ones, want one name, while some answers are lost.
func TestOneWinner(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(o *Options) { o.PartBytes = minPartBytes })
		for _, match := range []func(*http.Request) bool{nil, completes} {
			if match != nil {
				proxy.Inject(faultproxy.Rule{Match: match, Times: 3, Action: faultproxy.ResetAfter()})
				proxy.Inject(faultproxy.Rule{Match: method(http.MethodPut), Times: 3, Action: faultproxy.ResetAfter()})
			}
			var wins, winner atomic.Int64
			var group sync.WaitGroup
			for i := range 16 {
				group.Go(func() {
					size := 1000 + i
					if i%2 == 0 {
						size += s.options.PartBytes
					}
					err := storage.WriteObject(t.Context(), s, "object", pattern(size, byte(i)))
					if err == nil {
						wins.Add(1)
						winner.Store(int64(size))
						return
					}
					assert.ErrorIs(t, err, storage.ErrExist)
				})
			}
			group.Wait()
			require.EqualValues(t, 1, wins.Load())
			info, err := s.Stat(t.Context(), "object")
			require.NoError(t, err)
			require.Equal(t, winner.Load(), info.Size)
			require.NoError(t, s.Delete(t.Context(), "object"))
			require.Zero(t, pending(t, s, "object"))
		}
	})
}

// TestCancelled ends the context in the middle of a commit.
func TestCancelled(t *testing.T) {
	onServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(o *Options) { o.PartBytes = minPartBytes })
		random := rand.New(rand.NewPCG(1, 2))
		for _, size := range []int{1000, 3*s.options.PartBytes + 1} {
			for i := range 3 {
				name := fmt.Sprintf("object-%d-%d", size, i) // a cancelled request may have its effect later
				ctx, cancel := context.WithCancel(t.Context())
				after := int64(random.IntN(4))
				proxy.Inject(faultproxy.Rule{Skip: int(after), Match: func(r *http.Request) bool {
					if r.Method == http.MethodPut || r.Method == http.MethodPost {
						after--
					}
					if after < 0 {
						cancel()
					}
					return false
				}})
				err := storage.WriteObject(ctx, s, name, pattern(size, 1))
				cancel()
				proxy.Heal()
				info, statErr := s.Stat(t.Context(), name)
				if err == nil {
					require.NoError(t, statErr)
					require.EqualValues(t, size, info.Size)
				} else {
					require.True(t, errors.Is(err, context.Canceled), "%v", err)
				}
				require.NoError(t, s.Delete(t.Context(), name))
			}
		}
	})
}
