package s3

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/storage"
)

// TestTLS checks who is believed to be the server, and that bodies go through TLS as they are, with their checksum in the header: trailers,
// which the SDK would use, are more than some servers know.
func TestTLS(t *testing.T) {
	isolate(t)
	var mu sync.Mutex
	var encodings, hashes, sums []string
	imitation := newImitation()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			mu.Lock()
			encodings = append(encodings, r.Header.Get("Content-Encoding")+r.Header.Get("X-Amz-Trailer"))
			hashes = append(hashes, r.Header.Get("X-Amz-Content-Sha256"))
			sums = append(sums, r.Header.Get("X-Amz-Checksum-Crc32c"))
			mu.Unlock()
		}
		imitation.ServeHTTP(w, r)
	}))
	defer server.Close()

	s := openAt(t, "s3://bucket/lake", Options{Endpoint: server.URL})
	_, err := s.Stat(t.Context(), "x")
	require.ErrorContains(t, err, "certificate")
	require.ErrorContains(t, err, "AWS_CA_BUNDLE")
	require.EqualValues(t, 1, s.Counts().Requests)

	s = openAt(t, "s3://bucket/lake", Options{Endpoint: server.URL, HTTPClient: server.Client()})
	exercise(t, s, "x")

	bundle := filepath.Join(t.TempDir(), "ca.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(bundle, content, 0o600))
	t.Setenv("AWS_CA_BUNDLE", bundle)
	s = openAt(t, "s3://bucket/lake", Options{Endpoint: server.URL})
	s.options.PartBytes = 64 << 10
	exercise(t, s, "x")
	require.NoError(t, storage.WriteObject(t.Context(), s, "large", pattern(300_000, 1)))
	back, err := storage.ReadAll(t.Context(), s, "large")
	require.NoError(t, err)
	require.Equal(t, pattern(300_000, 1), back)

	for i := range encodings {
		require.Empty(t, encodings[i])
		require.NotEmpty(t, sums[i])
		require.Equal(t, "UNSIGNED-PAYLOAD", hashes[i], "TLS guards the body")
	}
}
