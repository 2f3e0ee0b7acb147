package webhdfs

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fake is a namenode and two datanodes that keep files in memory. It answers as Hadoop 3.5 does.
type fake struct {
	mu        sync.Mutex
	files     map[string]fakeFile
	nextID    int64
	namenode  *httptest.Server
	datanodes []*httptest.Server
	requests  []string // operations, in the order of their arrival, with "dn " before those of datanodes
	// before sees each request first; if it returns true, it has answered.
	before func(w http.ResponseWriter, r *http.Request, op string, datanode int) bool
}

// fakeFile is a file of a fake.
type fakeFile struct {
	id   int64
	data []byte
}

// newFake starts the servers.
func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{files: map[string]fakeFile{}, nextID: 1000}
	f.namenode = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, -1) }))
	t.Cleanup(f.namenode.Close)
	for i := range 2 {
		d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, i) }))
		d.Config.SetKeepAlivesEnabled(false) // as the datanodes of Hadoop
		t.Cleanup(d.Close)
		f.datanodes = append(f.datanodes, d)
	}
	return f
}

// uri returns that of a directory of the fake.
func (f *fake) uri() string { return "webhdfs" + strings.TrimPrefix(f.namenode.URL, "http") + "/lake" }

// open opens a store with pauses that take no time.
func (f *fake) open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.User == "" {
		o.User = "tester"
	}
	s, err := Open(t.Context(), f.uri(), o)
	require.NoError(t, err)
	s.pause = noPause
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// serve answers a request to the namenode (datanode -1) or a datanode.
func (f *fake) serve(w http.ResponseWriter, r *http.Request, datanode int) {
	op := r.URL.Query().Get("op")
	f.mu.Lock()
	if datanode >= 0 {
		f.requests = append(f.requests, "dn "+op)
	} else {
		f.requests = append(f.requests, op)
	}
	before := f.before
	f.mu.Unlock()
	if before != nil && before(w, r, op, datanode) {
		return
	}
	p, ok := strings.CutPrefix(r.URL.Path, prefix)
	if !ok {
		http.NotFound(w, r)
		return
	}
	q := r.URL.Query()
	switch {
	case datanode < 0 && (op == "OPEN" || op == "CREATE"):
		f.redirect(w, r, op, p)
	case op == "OPEN":
		f.read(w, p, q)
	case op == "CREATE":
		f.create(w, r, p)
	default:
		f.meta(w, op, p, q)
	}
}

// redirect sends a client to the first datanode that it did not exclude.
func (f *fake) redirect(w http.ResponseWriter, r *http.Request, op, p string) {
	if op == "OPEN" {
		file, ok := f.get(p)
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		if !ok {
			refuse(w, http.StatusNotFound, "FileNotFoundException", "File "+p+" not found.")
			return
		}
		if offset >= len(file.data) && offset > 0 {
			refuse(w, http.StatusForbidden, "IOException", fmt.Sprintf("Offset=%d out of the range [0, %d); OPEN, path=%s", offset, len(file.data), p))
			return
		}
	}
	excluded := strings.Split(r.URL.Query().Get("excludedatanodes"), ",")
	for i, d := range f.datanodes {
		if !slices.Contains(excluded, transferAddress(i)) {
			w.Header().Set("Location", d.URL+r.URL.RequestURI()+"&delegation=SECRET")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
	}
	refuse(w, http.StatusForbidden, "IOException", "No active and not excluded nodes contain this block")
}

// transferAddress is how the namenode knows a datanode.
func transferAddress(datanode int) string { return fmt.Sprintf("10.0.0.%d:9866", datanode) }

// read sends a range of a file.
func (f *fake) read(w http.ResponseWriter, p string, q url.Values) {
	file, ok := f.get(p)
	if !ok {
		refuse(w, http.StatusNotFound, "FileNotFoundException", "File does not exist: "+p)
		return
	}
	offset, _ := strconv.Atoi(q.Get("offset"))
	length, _ := strconv.Atoi(q.Get("length"))
	data := file.data[offset:min(offset+length, len(file.data))]
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data)
}

// create stores a file.
func (f *fake) create(w http.ResponseWriter, r *http.Request, p string) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.files[p]; ok {
		refuse(w, http.StatusForbidden, "FileAlreadyExistsException", p+" exists")
		return
	}
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		if _, ok := f.files[dir]; ok {
			refuse(w, http.StatusForbidden, "ParentNotDirectoryException", dir+" (is not a directory)")
			return
		}
	}
	f.nextID++
	f.files[p] = fakeFile{id: f.nextID, data: data}
	w.WriteHeader(http.StatusCreated)
}

// meta answers what namenodes answer.
func (f *fake) meta(w http.ResponseWriter, op, p string, q url.Values) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := map[string]any{}
	switch op {
	case "GETFILESTATUS":
		status, ok := f.status(p)
		if !ok {
			refuse(w, http.StatusNotFound, "FileNotFoundException", "File does not exist: "+p)
			return
		}
		answer["FileStatus"] = status
	case "LISTSTATUS":
		f.list(w, p)
		return
	case "RENAME":
		f.rename(w, p, q.Get("destination"))
		return
	case "DELETE":
		_, had := f.files[p]
		delete(f.files, p)
		answer["boolean"] = had
	case "GET_BLOCK_LOCATIONS":
		var locations []map[string]any
		for i, d := range f.datanodes {
			u, _ := url.Parse(d.URL)
			port, _ := strconv.Atoi(u.Port())
			ip, _, _ := strings.Cut(transferAddress(i), ":")
			locations = append(locations, map[string]any{"hostName": u.Hostname(), "ipAddr": ip, "infoPort": port, "xferPort": 9866})
		}
		answer["LocatedBlocks"] = map[string]any{"locatedBlocks": []any{map[string]any{"locations": locations}}}
	default:
		refuse(w, http.StatusBadRequest, "IllegalArgumentException", "Invalid value for webhdfs parameter \"op\": "+op)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// status returns what is known of a path. The caller holds the lock.
func (f *fake) status(p string) (map[string]any, bool) {
	if file, ok := f.files[p]; ok {
		return map[string]any{"type": "FILE", "length": len(file.data), "fileId": file.id, "modificationTime": file.id, "pathSuffix": ""}, true
	}
	for name := range f.files {
		if strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/") {
			return map[string]any{"type": "DIRECTORY", "fileId": 1, "childrenNum": 1, "pathSuffix": ""}, true
		}
	}
	return nil, false
}

// list answers with the entries of a directory. The caller holds the lock.
func (f *fake) list(w http.ResponseWriter, p string) {
	children := map[string]bool{}
	for name := range f.files {
		if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(p, "/")+"/"); ok {
			child, _, _ := strings.Cut(rest, "/")
			children[child] = true
		}
	}
	entries := []any{}
	if status, _ := f.status(p); status["type"] == "FILE" {
		entries = append(entries, status)
	} else if len(children) == 0 {
		refuse(w, http.StatusNotFound, "FileNotFoundException", "File "+p+" does not exist.")
		return
	}
	for child := range children {
		status, _ := f.status(path.Join(p, child))
		status["pathSuffix"] = child
		entries = append(entries, status)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"FileStatuses": map[string]any{"FileStatus": entries}})
}

// rename moves a file as with renameoptions=NONE. The caller holds the lock.
func (f *fake) rename(w http.ResponseWriter, from, to string) {
	file, ok := f.files[from]
	if !ok {
		refuse(w, http.StatusNotFound, "FileNotFoundException", "rename source "+from+" is not found.")
		return
	}
	if status, taken := f.status(to); taken {
		if status["type"] == "DIRECTORY" {
			refuse(w, http.StatusForbidden, "IOException", "Source "+from+" and destination "+to+" must both be directories")
		} else {
			refuse(w, http.StatusForbidden, "FileAlreadyExistsException", "rename destination "+to+" already exists")
		}
		return
	}
	delete(f.files, from)
	f.files[to] = file
}

// get returns a file.
func (f *fake) get(p string) (fakeFile, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.files[p]
	return file, ok
}

// seen returns the operations since the last call, and forgets them.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.requests
	f.requests = nil
	return seen
}

// intercept sets what sees each request first.
func (f *fake) intercept(before func(w http.ResponseWriter, r *http.Request, op string, datanode int) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// refuse answers with an exception.
func refuse(w http.ResponseWriter, status int, class, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"RemoteException": map[string]any{
		"exception": class, "javaClassName": "java.io." + class, "message": message + "\n\tat org.apache.hadoop.Somewhere",
	}})
}

// hang reads nothing and answers nothing until the client goes away.
func hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(20 * time.Second):
	}
}

// cut ends the connection of a response as a killed server does.
func cut() { panic(http.ErrAbortHandler) }
