package webhdfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/firnlog/firn/storage"
)

// request is one operation of the WebHDFS protocol.
type request struct {
	method string
	op     string
	path   string   // absolute, in HDFS
	params []string // names and values, in turns; empty values are left out
}

// prefix is where WebHDFS lies in a server's web interface.
const prefix = "/webhdfs/v1"

// target returns path and query.
func (r request) target(user string) string {
	var b strings.Builder
	b.WriteString(prefix + escape(r.path, true) + "?op=" + r.op)
	if user != "" {
		b.WriteString("&user.name=" + escape(user, false))
	}
	for pair := range slices.Chunk(r.params, 2) {
		if pair[1] != "" {
			b.WriteString("&" + pair[0] + "=" + escape(pair[1], false))
		}
	}
	return b.String()
}

// escape writes all but letters, digits and -._~ as %XX: the servers differ in what else they understand as it is ("+", ";").
func escape(s string, isPath bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~', isPath && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// send makes a request to the namenode that was active last. If it does not answer or is in standby, the next request goes to the next
// one. Answers of 200 and 307 are returned; the caller closes their bodies. Others are errors.
func (s *Store) send(ctx context.Context, r request) (*http.Response, error) {
	turn := s.active.Load()
	address := s.addresses[int(turn%int64(len(s.addresses)))]
	user := s.user
	if s.auth != nil {
		user = ""
	}
	h, err := http.NewRequestWithContext(ctx, r.method, s.scheme+"://"+address+r.target(user), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.op, err)
	}
	if s.auth != nil {
		if err := s.auth.authenticate(h); err != nil {
			return nil, fmt.Errorf("%s by %s: %w", r.op, address, err)
		}
	}
	response, err := s.http.Do(h)
	if err != nil {
		s.active.CompareAndSwap(turn, turn+1)
		return nil, lost(ctx, r.op, address, err)
	}
	s.answered.Store(true)
	switch response.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusTemporaryRedirect:
		return response, nil
	}
	err = remoteError(r.op, address, false, response)
	if remote, ok := errors.AsType[*RemoteError](err); ok && remote.Exception == "StandbyException" {
		s.active.CompareAndSwap(turn, turn+1)
	}
	return nil, err
}

// maxAnswerBytes bounds the JSON of an answer: a listing has some 400 bytes for each entry of a directory, of which there are at most a
// million (dfs.namenode.fs-limits.max-directory-items).
const maxAnswerBytes = 1 << 30

// call makes a request once, and decodes the answer into out unless it is nil.
func (s *Store) call(ctx context.Context, r request, out any) error {
	ctx, w := watch(ctx, s.options.RequestTimeout)
	defer w.stop()
	response, err := s.send(ctx, r)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	content, err := io.ReadAll(io.LimitReader(&watchedReader{from: response.Body, w: w}, maxAnswerBytes))
	if err != nil {
		return lost(ctx, r.op, response.Request.URL.Host, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return &transportError{op: r.op, server: response.Request.URL.Host, err: fmt.Errorf("the answer is not what WebHDFS says: %w", err)}
	}
	return nil
}

// query makes a request that may be repeated, until it is answered.
func (s *Store) query(ctx context.Context, r request, out any) error {
	for t := s.tries(r.op); ; {
		err := s.call(ctx, r, out)
		if err == nil {
			return nil
		}
		if err := t.again(ctx, err); err != nil {
			return err
		}
	}
}

// fileStatus is what the namenode says of a file or directory.
type fileStatus struct {
	Name        string `json:"pathSuffix"`
	Type        string `json:"type"` // FILE, DIRECTORY or SYMLINK
	Length      int64  `json:"length"`
	ModTime     int64  `json:"modificationTime"` // milliseconds since 1970
	FileID      int64  `json:"fileId"`
	Children    *int   `json:"childrenNum"` // some servers do not tell
	ECPolicy    string `json:"ecPolicy"`
	ECBit       bool   `json:"ecBit"`
	Replication int    `json:"replication"`
}

// isDir tells whether it is a directory.
func (f fileStatus) isDir() bool { return f.Type == "DIRECTORY" }

// empty tells whether it is a directory that surely had no entry.
func (f fileStatus) empty() bool { return f.isDir() && f.Children != nil && *f.Children == 0 }

// status asks the namenode about a path.
func (s *Store) status(ctx context.Context, path string) (fileStatus, error) {
	var answer struct{ FileStatus fileStatus }
	err := s.query(ctx, request{method: http.MethodGet, op: "GETFILESTATUS", path: path}, &answer)
	return answer.FileStatus, err
}

// object asks the namenode about a file, and remembers what it says.
func (s *Store) object(ctx context.Context, name string) (fileStatus, error) {
	f, err := s.status(ctx, s.path(name))
	if err == nil && f.Type != "FILE" {
		err = fmt.Errorf("%w: the name is that of a directory", storage.ErrNotExist)
	}
	if err != nil {
		s.objects.Remove(name)
		return fileStatus{}, err
	}
	s.objects.Add(name, known{size: f.Length, fileID: f.FileID})
	return f, nil
}
