package systest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/testservers"
)

// serverBlocks finds the commands of a Markdown page that need servers, and configurations.
var (
	serverBlocks = regexp.MustCompile("(?s)```sh servers\n(.*?)```")
	yamlBlocks   = regexp.MustCompile("(?s)```yaml\n(.*?)```")
)

// TestDocumentedServerCommands runs the commands that README.md and docs/STORAGE.md show for lakes on S3 and HDFS.
func TestDocumentedServerCommands(t *testing.T) {
	bucket := testservers.Own(t, "s3", "S3_BUCKET=my-logs")
	cluster := testservers.Shared(t, "hdfs", hdfsSettings()...)
	postgres := testservers.Shared(t, "postgres")
	path, err := program()
	require.NoError(t, err)
	env := append(os.Environ(), "PATH="+filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+t.TempDir(),
		"AWS_ENDPOINT_URL="+bucket.Vars["S3_ENDPOINT"], "HADOOP_CONF_DIR="+cluster.Vars["HADOOP_CONF_DIR"], "HADOOP_USER_NAME="+cluster.Vars["HDFS_USER"],
		"POSTGRES_URI="+postgres.Vars["POSTGRES_URI"])
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
		env = append(env, key+"="+bucket.Vars[key])
	}
	// The lake that the page names may be there from an earlier run.
	word := uuid.NewString()[:8]
	ran := 0
	for _, page := range []string{"README.md", "docs/STORAGE.md"} {
		text, err := os.ReadFile(filepath.Join(repository(), page))
		require.NoError(t, err)
		for _, block := range serverBlocks.FindAllStringSubmatch(string(text), -1) {
			script := strings.ReplaceAll(block[1], "hdfs:///logs/lake", "hdfs:///logs-"+word+"/lake")
			script = strings.ReplaceAll(script, " web", " web-"+word)
			cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
			cmd.Dir, cmd.Env = repository(), env
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s\n%s", script, out)
			require.NotEmpty(t, out, script)
			t.Logf("%s\n%s", script, out)
			ran++
		}
	}
	require.GreaterOrEqual(t, ran, 2)
}

// TestDocumentedConfig reads the configuration that docs/STORAGE.md shows, and checks that it shows every key.
func TestDocumentedConfig(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository(), "docs", "STORAGE.md"))
	require.NoError(t, err)
	blocks := yamlBlocks.FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 1)
	for _, name := range []string{"PGPASSWORD", "LOGS_KEY", "LOGS_SECRET", "LOGS_TOKEN"} {
		t.Setenv(name, "secret-"+name)
	}
	path := filepath.Join(t.TempDir(), "firn.yaml")
	require.NoError(t, os.WriteFile(path, []byte(blocks[0][1]), 0o600))
	c, err := firn.ReadConfig(path)
	require.NoError(t, err)
	require.Equal(t, "secret-LOGS_SECRET", c.S3.SecretAccessKey)
	all, err := yaml.Marshal(c)
	require.NoError(t, err)
	for key := range strings.Lines(string(all)) {
		key, _, ok := strings.Cut(strings.TrimSpace(key), ":")
		if ok && !strings.HasPrefix(key, "-") {
			require.Contains(t, blocks[0][1], key+":", "docs/STORAGE.md does not show the key")
		}
	}
}
