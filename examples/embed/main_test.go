package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEmbed(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, time.Now))
	text := out.String()
	t.Log("\n" + text)

	// 200 requests, of which 20 end in 7: each of these logs an error besides the request.
	counts := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(.+?) +(\d+) rows$`).FindAllStringSubmatch(text, -1) {
		counts[strings.TrimSpace(m[1])] = m[2]
	}
	require.Equal(t, "220", counts["*"])
	require.Equal(t, "20", counts[`"connection reset"`])
	require.Equal(t, "20", counts["status:502"])
	require.Equal(t, "1", counts["status:400 http.path:/order/abc"])
	require.Equal(t, "2", counts["trace_id:trace-0137"])
	require.Contains(t, text, `"trace_id":"trace-0197"`)
	require.Contains(t, text, `"app_id":"checkout"`)
	require.Contains(t, text, "\n0 records dropped\n")
}
