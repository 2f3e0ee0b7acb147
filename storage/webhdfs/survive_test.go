package webhdfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// TestBodyBreaksOff reads through connections that end after some bytes: the rest is fetched, from the same file.
func TestBodyBreaksOff(t *testing.T) {
	f := newFake(t)
	s := f.open(t, Options{})
	want := content(1, 300_000)
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", want))
	var broken atomic.Int64
	breakOff := func(w http.ResponseWriter, r *http.Request, op string, datanode int) bool {
		if op != "OPEN" || datanode < 0 || broken.Add(1) > 40 {
			return false
		}
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		file, _ := f.get("/lake/a")
		w.Header().Set("Content-Length", r.URL.Query().Get("length"))
		_, _ = w.Write(file.data[offset:min(offset+5000, len(file.data))])
		cut()
		return true
	}
	f.intercept(breakOff)
	for _, store := range []*Store{s, f.open(t, Options{})} { // one that knows the file, one that does not
		broken.Store(0)
		p := make([]byte, len(want))
		require.NoError(t, store.ReadAt(t.Context(), "a", p, 0))
		require.True(t, bytes.Equal(want, p))
		require.Greater(t, broken.Load(), int64(40), "attempts that make progress are not counted")
	}

	// The name becomes that of another object of the same size in the middle: never a mixture.
	broken.Store(30)
	second := content(2, len(want))
	f.intercept(func(w http.ResponseWriter, r *http.Request, op string, datanode int) bool {
		if op == "OPEN" && datanode >= 0 && broken.Load() == 35 {
			f.mu.Lock()
			f.nextID++
			f.files["/lake/a"] = fakeFile{id: f.nextID, data: second}
			f.mu.Unlock()
		}
		return breakOff(w, r, op, datanode)
	})
	p := make([]byte, len(want))
	require.NoError(t, s.ReadAt(t.Context(), "a", p, 0))
	require.True(t, bytes.Equal(second, p))
}

// TestDatanodeFailover reads and writes while the first datanode is dead, hung or ill: it is left out from then on.
func TestDatanodeFailover(t *testing.T) {
	ill := map[string]func(w http.ResponseWriter, r *http.Request){
		"cut":  func(http.ResponseWriter, *http.Request) { cut() },
		"hung": func(_ http.ResponseWriter, r *http.Request) { hang(r) },
		"error": func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusForbidden, "IOException", "disk is gone")
		},
		"token": func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusForbidden, "InvalidToken", "token can't be found")
		},
	}
	for kind, answer := range ill {
		t.Run(kind, func(t *testing.T) {
			f := newFake(t)
			s := f.open(t, Options{StallTimeout: 300 * time.Millisecond, PatientTimeout: 300 * time.Millisecond})
			data := content(1, 100_000)
			require.NoError(t, storage.WriteObject(t.Context(), s, "a", data))
			var asked atomic.Int64
			f.intercept(func(w http.ResponseWriter, r *http.Request, _ string, datanode int) bool {
				if datanode != 0 {
					return false
				}
				asked.Add(1)
				answer(w, r)
				return true
			})
			for range 5 {
				p := make([]byte, len(data))
				require.NoError(t, s.ReadAt(t.Context(), "a", p, 0))
				require.Equal(t, data, p)
			}
			require.EqualValues(t, 1, asked.Load(), "a datanode that failed is not asked again soon")
			require.NoError(t, storage.WriteObject(t.Context(), s, "b", data))
			require.EqualValues(t, 1, asked.Load())
			got, err := storage.ReadAll(t.Context(), s, "b")
			require.NoError(t, err)
			require.Equal(t, data, got)
		})
	}
}

// TestAllDatanodesFail gives up with an error that says who failed, without telling tokens.
func TestAllDatanodesFail(t *testing.T) {
	f := newFake(t)
	s := f.open(t, Options{MaxAttempts: 5, StallTimeout: 200 * time.Millisecond})
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", []byte("abc")))
	f.intercept(func(_ http.ResponseWriter, _ *http.Request, _ string, datanode int) bool {
		if datanode >= 0 {
			cut()
		}
		return false
	})
	err := s.ReadAt(t.Context(), "a", make([]byte, 3), 0)
	require.ErrorContains(t, err, "5 attempts")
	require.ErrorContains(t, err, s.URI("a"))
	require.NotContains(t, err.Error(), "SECRET")
	err = storage.WriteObject(t.Context(), s, "b", []byte("abc"))
	require.ErrorContains(t, err, s.URI("b"))
	require.NotContains(t, err.Error(), "SECRET")
	require.Len(t, f.files, 1, "nothing is left of the failed upload")
}

// TestLostAnswers loses the answers to uploads and renames, before or after the server has carried them out.
func TestLostAnswers(t *testing.T) {
	for _, op := range []string{"CREATE", "dn CREATE", "GETFILESTATUS", "RENAME"} {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/done=%v", op, done), func(t *testing.T) {
				f := newFake(t)
				s := f.open(t, Options{})
				var lose atomic.Bool
				s.http.Transport = &lossy{inner: s.http.Transport, done: done, lose: func(r *http.Request) bool {
					where := r.URL.Query().Get("op")
					if r.URL.Host != s.addresses[0] {
						where = "dn " + where
					}
					return where == op && lose.CompareAndSwap(true, false)
				}}
				for round := range 3 {
					name := fmt.Sprintf("a/%d", round)
					lose.Store(true)
					require.NoError(t, storage.WriteObject(t.Context(), s, name, content(byte(round), 1000)))
					require.False(t, lose.Load(), "an answer was lost")
					lose.Store(true)
					require.ErrorIs(t, storage.WriteObject(t.Context(), s, name, content(9, 1000)), storage.ErrExist)
					got, err := storage.ReadAll(t.Context(), s, name)
					require.NoError(t, err)
					require.Equal(t, content(byte(round), 1000), got)
				}
				require.Len(t, f.files, 3, "no hidden files are left")
			})
		}
	}
}

// TestOutcomeUnknown loses every answer to a rename: Commit says that it does not know.
func TestOutcomeUnknown(t *testing.T) {
	f := newFake(t)
	s := f.open(t, Options{MaxAttempts: 3})
	s.http.Transport = &lossy{inner: s.http.Transport, done: true, lose: func(r *http.Request) bool {
		return r.URL.Query().Get("op") == "RENAME" || len(f.files) > 0 && r.URL.Query().Get("op") == "DELETE"
	}}
	err := storage.WriteObject(t.Context(), s, "a", []byte("abc"))
	require.ErrorContains(t, err, "not known")
	require.NotErrorIs(t, err, storage.ErrExist)
	got, err := storage.ReadAll(t.Context(), s, "a")
	require.NoError(t, err)
	require.Equal(t, "abc", string(got), "it had been published, and Abort did not remove it")
}

// lossy is a transport that loses answers.
type lossy struct {
	inner http.RoundTripper
	done  bool // the server carries the request out
	lose  func(r *http.Request) bool
}

// RoundTrip implements http.RoundTripper.
func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	lose := l.lose(r)
	if lose && !l.done {
		return nil, io.EOF
	}
	response, err := l.inner.RoundTrip(r)
	if lose && err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		return nil, errors.Join(io.EOF, response.Body.Close())
	}
	return response, err
}

// TestNamenodes has one namenode that is gone, one in standby and an active one.
func TestNamenodes(t *testing.T) {
	f, standby := newFake(t), newFake(t)
	standby.intercept(func(w http.ResponseWriter, _ *http.Request, _ string, _ int) bool {
		refuse(w, http.StatusForbidden, "StandbyException", "Operation category READ is not supported in state standby")
		return true
	})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	s, err := Open(t.Context(), "webhdfs://cluster/lake", Options{
		Addresses: []string{gone.Addr().String(), standby.namenode.URL, host(f.namenode.URL)}, User: "tester", RootURI: "hdfs://cluster/lake/",
	})
	require.NoError(t, err)
	s.pause = func(context.Context, time.Duration) error {
		return errors.New("the other namenodes are asked without a pause")
	}
	require.Equal(t, "hdfs://cluster/lake/x", s.URI("x"))
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", []byte("abc")))
	got, err := storage.ReadAll(t.Context(), s, "a")
	require.NoError(t, err)
	require.Equal(t, "abc", string(got))
	require.Len(t, standby.seen(), 1, "the active one is remembered")

	s, err = Open(t.Context(), "webhdfs://"+gone.Addr().String()+"/lake", Options{})
	require.NoError(t, err)
	s.pause = noPause
	_, err = s.Stat(t.Context(), "a")
	require.ErrorContains(t, err, "4 attempts")
	require.ErrorContains(t, err, "refused")
}

// TestNamenodeHangs gives up waiting for a namenode that says nothing.
func TestNamenodeHangs(t *testing.T) {
	f := newFake(t)
	s := f.open(t, Options{RequestTimeout: 100 * time.Millisecond})
	var asked atomic.Int64
	f.intercept(func(_ http.ResponseWriter, r *http.Request, _ string, _ int) bool {
		if asked.Add(1) > 2 {
			return false
		}
		hang(r)
		return true
	})
	require.NoError(t, storage.WriteObject(t.Context(), s, "a", []byte("abc")))
	asked.Store(0)
	_, err := s.Stat(t.Context(), "a")
	require.NoError(t, err)
}
