package catalog

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn/internal/testservers"
)

// TestSuite runs the tests of this package once more on each of the other catalogs.
func TestSuite(t *testing.T) {
	if os.Getenv(testCatalog) != "" || os.Getenv(appenderLake) != "" {
		t.Skip("this is such a run")
	}
	if testing.Short() {
		t.Skip("runs all tests several times")
	}
	t.Run("rest within the process", func(t *testing.T) { runSuite(t, "rest") })
	t.Run("postgres", func(t *testing.T) { runSuite(t, testservers.Shared(t, "postgres").Vars["POSTGRES_URI"]) })
	t.Run("rest of Java", func(t *testing.T) { runSuite(t, testservers.Shared(t, "rest").Vars["REST_URI"]) })
}

// runSuite leaves out what has nothing to do with who keeps the tables, and what starts servers of its own.
func runSuite(t *testing.T, catalog string) {
	cmd := exec.Command(os.Args[0], "-test.short", "-test.skip=Fuzz|Bench|Bounds|Statistics|Avro|Manifests|Names|Pauses|Open|Server")
	cmd.Env = append(os.Environ(), testCatalog+"="+catalog, "FIRN_TEST_SERVERS=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
