package s3

import (
	"errors"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/faultproxy"
	"github.com/firnlog/firn/internal/testservers"
	"github.com/firnlog/firn/storage"
)

// onOwnServers runs a test on a server of its own of each kind.
func onOwnServers(t *testing.T, test func(t *testing.T, server *testservers.Server)) {
	testservers.Need(t)
	for name, settings := range servers {
		t.Run(name, func(t *testing.T) { test(t, testservers.Own(t, "s3", settings...)) })
	}
}

// TestServerKilled kills the server at every request of an upload. If it comes back soon, the upload succeeds; if not, it fails and
// nothing is visible.
func TestServerKilled(t *testing.T) {
	onOwnServers(t, func(t *testing.T, server *testservers.Server) {
		for _, soon := range []bool{true, false} {
			s, proxy := throughProxy(t, server, func(o *Options) {
				o.PartBytes, o.RequestTimeout = minPartBytes, 3*time.Second
				o.MaxAttempts = 100
				if !soon {
					o.MaxAttempts = 2
				}
			})
			s.firstPause = 20 * time.Millisecond
			for _, kill := range []int{0, 3, 5} { // begin, one of four parts, complete
				testKill(t, server, s, proxy, kill, soon)
			}
		}
	})
}

func testKill(t *testing.T, server *testservers.Server, s *Store, proxy *faultproxy.Proxy, kill int, soon bool) {
	name := "early"
	if !soon {
		name = "late"
	}
	name += string(rune('0' + kill))
	data := pattern(3*minPartBytes+1234, byte(kill))
	killed := make(chan struct{})
	seen := 0
	proxy.Inject(faultproxy.Rule{Match: func(r *http.Request) bool {
		if seen == kill {
			server.Signal(t, "server", syscall.SIGKILL)
			close(killed)
		}
		seen++
		return false
	}})
	result := make(chan error, 1)
	go func() { result <- storage.WriteObject(t.Context(), s, name, data) }()
	<-killed
	if soon {
		server.Up(t)
	}
	err := <-result
	proxy.Heal()
	if !soon {
		require.Error(t, err)
		server.Up(t)
	}
	back, readErr := storage.ReadAll(t.Context(), s, name)
	if err == nil {
		require.NoError(t, readErr)
		require.Equal(t, data, back)
	} else {
		t.Logf("killed at request %d: %v", kill, err)
		require.ErrorContains(t, err, name)
		if !errors.Is(err, ErrUnknownOutcome) {
			require.ErrorIs(t, readErr, storage.ErrNotExist)
		}
		if readErr == nil {
			require.Equal(t, data, back)
		}
	}
	if soon {
		require.NoError(t, err)
	}
	pending(t, s) // what could not be aborted while the server was down can be now
	require.Zero(t, pending(t, s))
}

// TestServerStopped stops the server in the middle of reads and writes, and lets it go on when the client has noticed.
func TestServerStopped(t *testing.T) {
	onOwnServers(t, func(t *testing.T, server *testservers.Server) {
		s, proxy := throughProxy(t, server, func(o *Options) {
			o.PartBytes, o.RequestTimeout, o.MaxAttempts = minPartBytes, 500*time.Millisecond, 100
		})
		data := pattern(40<<20, 1)
		// whileStopped runs an operation and stops the server at one of its requests, until the client has tried again or is done. (The
		// signal may come too late for the request.)
		whileStopped := func(request int, operation func()) {
			var group sync.WaitGroup
			done := make(chan struct{})
			seen := 0
			proxy.Inject(faultproxy.Rule{Match: func(*http.Request) bool {
				if seen++; seen == request {
					before := s.Counts().Retries
					server.Signal(t, "server", syscall.SIGSTOP)
					group.Go(func() {
						waitFor(done, func() bool { return s.Counts().Retries > before })
						server.Signal(t, "server", syscall.SIGCONT)
					})
				}
				return false
			}})
			operation()
			close(done)
			group.Wait()
			proxy.Heal()
		}
		var back []byte
		var err error
		whileStopped(4, func() { err = storage.WriteObject(t.Context(), s, "object", data) })
		require.NoError(t, err)
		whileStopped(3, func() { back, err = storage.ReadAll(t.Context(), s, "object") })
		require.NoError(t, err)
		require.Equal(t, data, back)
		back = back[:1000]
		whileStopped(1, func() { err = s.ReadAt(t.Context(), "object", back, 5) })
		require.NoError(t, err)
		require.Equal(t, data[5:1005], back)
		require.Positive(t, s.Counts().Retries)
	})
}

// waitFor waits until a condition holds or done is closed.
func waitFor(done <-chan struct{}, holds func() bool) {
	for !holds() {
		select {
		case <-done:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
