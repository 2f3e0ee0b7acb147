package hdfs

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// lossy passes connections on to a namenode, and cuts some renames off.
type lossy struct {
	listener net.Listener
	target   string
	match    []byte
	mode     atomic.Int32 // what to do with the next rename
	cut      atomic.Int32 // how many were cut off
	group    sync.WaitGroup
}

const (
	passAll     = iota
	dropAnswer  // the namenode renames, and nobody hears of it
	dropRequest // the namenode never hears of it
)

// newLossy starts one for renames that name a file.
func newLossy(t testing.TB, target, match string) *lossy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &lossy{listener: listener, target: target, match: []byte(match)}
	l.group.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			l.group.Go(func() { l.serve(client) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		l.group.Wait()
	})
	return l
}

// serve passes one connection on. The client sends each request with one write, and waits for its answer.
func (l *lossy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer server.Close()
	var deaf atomic.Bool
	l.group.Go(func() {
		defer client.Close()
		p := make([]byte, 64<<10)
		for {
			n, err := server.Read(p)
			if err != nil || deaf.Load() {
				return
			}
			if _, err := client.Write(p[:n]); err != nil {
				return
			}
		}
	})
	p := make([]byte, 64<<10)
	for {
		n, err := client.Read(p)
		if err != nil {
			return
		}
		request := p[:n]
		if bytes.Contains(request, []byte(renameMethod)) && bytes.Contains(request, l.match) {
			switch mode := l.mode.Swap(passAll); mode {
			case dropRequest:
				l.cut.Add(1)
				return
			case dropAnswer:
				l.cut.Add(1)
				deaf.Store(true)
			}
		}
		if _, err := server.Write(request); err != nil {
			return
		}
		if deaf.Load() {
			_, _ = io.Copy(io.Discard, client) // until the answer has come and the connection is closed
			return
		}
	}
}

// TestLostAnswers checks that Commit tells the truth when the answer to the rename is lost.
func TestLostAnswers(t *testing.T) {
	server := shared(t)
	proxy := newLossy(t, server.Vars["HDFS_NAMENODE"], "/dir/object")
	s := open(t, server, func(o *Options) { o.NameNodes = []string{proxy.listener.Addr().String()} })
	for _, mode := range []int32{dropAnswer, dropRequest} {
		// The name is free: the object is there, once.
		cut := proxy.cut.Load()
		proxy.mode.Store(mode)
		require.NoError(t, storage.WriteObject(t.Context(), s, "dir/object", []byte("first")))
		require.Equal(t, cut+1, proxy.cut.Load())
		data, err := storage.ReadAll(t.Context(), s, "dir/object")
		require.NoError(t, err)
		require.Equal(t, "first", string(data))

		// The name gets taken while we write: the other's object stays.
		require.NoError(t, s.Delete(t.Context(), "dir/object"))
		w, err := s.Create(t.Context(), "dir/object")
		require.NoError(t, err)
		_, err = w.Write([]byte("late"))
		require.NoError(t, err)
		require.NoError(t, storage.WriteObject(t.Context(), s, "dir/object", []byte("early")))
		proxy.mode.Store(mode)
		require.ErrorIs(t, w.Commit(t.Context()), storage.ErrExist)
		require.Equal(t, cut+2, proxy.cut.Load())
		data, err = storage.ReadAll(t.Context(), s, "dir/object")
		require.NoError(t, err)
		require.Equal(t, "early", string(data))
		require.NoError(t, s.Delete(t.Context(), "dir/object"))
		requireNoTemp(t, s)
	}
}
