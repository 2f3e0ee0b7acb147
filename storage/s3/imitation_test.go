package s3

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// imitation is as much of an S3 server as the store needs, in memory and without signatures, for tests without servers. What S3 does in
// truth is for the tests with servers to say.
type imitation struct {
	mu      sync.Mutex
	objects map[string]object
	uploads map[string]*upload
}

type object struct {
	data     []byte
	etag, id string
	at       time.Time
}

type upload struct {
	key, id string
	parts   map[int][]byte
	at      time.Time
}

func newImitation() *imitation {
	return &imitation{objects: map[string]object{}, uploads: map[string]*upload{}}
}

// ServeHTTP serves /bucket/key.
func (s *imitation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone, and nothing was done
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	switch {
	case key == "" && query.Has("uploads"):
		s.listUploads(w, query)
	case key == "" && r.Method == http.MethodGet:
		s.list(w, query)
	case key == "":
	case query.Has("uploads"):
		id := uuid.NewString()
		s.uploads[id] = &upload{key: key, id: r.Header.Get("X-Amz-Meta-Firn-Upload"), parts: map[int][]byte{}, at: time.Now()}
		_, _ = fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case query.Has("uploadId"):
		s.serveUpload(w, r, query, body)
	default:
		s.serveObject(w, r, key, body)
	}
}

// serveUpload takes a part, or ends an upload.
func (s *imitation) serveUpload(w http.ResponseWriter, r *http.Request, query url.Values, body []byte) {
	id := query.Get("uploadId")
	u := s.uploads[id]
	if u == nil {
		fail(w, http.StatusNotFound, "NoSuchUpload", "")
		return
	}
	switch r.Method {
	case http.MethodPut:
		number, _ := strconv.Atoi(query.Get("partNumber"))
		u.parts[number] = body
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, number))
	case http.MethodDelete:
		delete(s.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPost:
		var all []byte
		for number := 1; u.parts[number] != nil; number++ {
			all = append(all, u.parts[number]...)
		}
		if s.create(w, r, u.key, u.id, all) {
			delete(s.uploads, id)
			_, _ = io.WriteString(w, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
		}
	}
}

// create makes an object unless there is one and the request has the condition that there is none.
func (s *imitation) create(w http.ResponseWriter, r *http.Request, key, id string, data []byte) bool {
	if _, taken := s.objects[key]; taken && r.Header.Get("If-None-Match") == "*" {
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed", "")
		return false
	}
	s.objects[key] = object{data: data, etag: `"` + uuid.NewString() + `"`, id: id, at: time.Now()}
	return true
}

// serveObject creates, reads or deletes an object.
func (s *imitation) serveObject(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	switch r.Method {
	case http.MethodPut:
		s.create(w, r, key, r.Header.Get("X-Amz-Meta-Firn-Upload"), body)
		return
	case http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	o, ok := s.objects[key]
	if !ok {
		fail(w, http.StatusNotFound, "NoSuchKey", "")
		return
	}
	w.Header().Set("ETag", o.etag)
	w.Header().Set("X-Amz-Meta-Firn-Upload", o.id)
	w.Header().Set("Content-Type", "binary/octet-stream")
	http.ServeContent(w, r, "", o.at, bytes.NewReader(o.data))
}

// list serves a page of two objects at most.
func (s *imitation) list(w http.ResponseWriter, query url.Values) {
	var keys []string
	for key := range s.objects {
		if strings.HasPrefix(key, query.Get("prefix")) && key > query.Get("continuation-token") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	type entry struct {
		Key, LastModified string
		Size              int
	}
	page := struct {
		XMLName                             xml.Name `xml:"ListBucketResult"`
		EncodingType, NextContinuationToken string
		IsTruncated                         bool
		Contents                            []entry
	}{EncodingType: "url"}
	for _, key := range keys[:min(2, len(keys))] {
		o := s.objects[key]
		page.Contents = append(page.Contents, entry{url.QueryEscape(key), o.at.UTC().Format(time.RFC3339Nano), len(o.data)})
		page.NextContinuationToken = key
	}
	page.IsTruncated = len(keys) > 2
	_ = xml.NewEncoder(w).Encode(page)
}

// listUploads serves the uploads.
func (s *imitation) listUploads(w http.ResponseWriter, query url.Values) {
	_, _ = io.WriteString(w, "<ListMultipartUploadsResult>")
	for id, u := range s.uploads {
		if strings.HasPrefix(u.key, query.Get("prefix")) {
			_, _ = fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>", u.key, id, u.at.UTC().Format(time.RFC3339))
		}
	}
	_, _ = io.WriteString(w, "</ListMultipartUploadsResult>")
}
