package catalog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"golang.org/x/sync/errgroup"

	"github.com/firnlog/firn/storage"
)

// stagingIO is iceberg-go's view of a store while a commit is put together.
//
// What iceberg-go writes is stored in the background, and wait tells when all of it is durable: the manifest, the manifest list and
// the metadata.json of a commit thus take the time of one, and not of three one after the other. What was written can be read back at
// once, from memory. What iceberg-go removes is only noted, to be deleted when the commit is through.
//
// When it merges manifests, iceberg-go reads them one after the other. They are fetched ahead side by side: a merge takes manifests
// that follow each other in the manifest list and together do not exceed the target size, so that much is fetched with the first one.
type stagingIO struct {
	fileIO
	parallel int
	merged   int64  // how large merged manifests may get
	parent   string // location of the manifest list that the commit builds on; "" for none

	uploads errgroup.Group

	mu      sync.Mutex
	written map[string][]byte // by name
	created []string          // names, in order
	removed []string          // locations
	fetched map[string]*fetch // by location
}

// fetch is a manifest on its way.
type fetch struct {
	done    chan struct{}
	content []byte
	err     error
}

var (
	_ iceio.ReadFileIO  = (*stagingIO)(nil)
	_ iceio.WriteFileIO = (*stagingIO)(nil)
)

func newStagingIO(ctx context.Context, store storage.Store, logger *slog.Logger, known *objectCache) *stagingIO {
	s := &stagingIO{
		fileIO:   fileIO{ctx: ctx, store: store, logger: logger, known: known},
		parallel: parallelRequests(store), written: map[string][]byte{}, fetched: map[string]*fetch{},
	}
	s.uploads.SetLimit(s.parallel)
	return s
}

// parallelRequests returns how many requests for metadata a store is given at once.
func parallelRequests(store storage.Store) int { return max(1, storage.TraitsOf(store).Parallel) }

// Create implements iceio.WriteFileIO.
func (s *stagingIO) Create(location string) (iceio.FileWriter, error) {
	name, err := nameOf(s.store, location)
	if err != nil {
		return nil, err
	}
	return &objectWriter{finish: func(content []byte) error {
		s.mu.Lock()
		s.written[name] = content
		s.created = append(s.created, name)
		s.mu.Unlock()
		s.uploads.Go(func() error {
			if err := writeObject(s.ctx, s.store, name, content); err != nil {
				return fmt.Errorf("writing table metadata %q: %w", name, err)
			}
			s.known.add(name, content)
			return nil
		})
		return nil
	}}, nil
}

// WriteFile implements iceio.WriteFileIO.
func (s *stagingIO) WriteFile(location string, content []byte) error {
	return writeFile(s, location, content)
}

// wait returns when everything that was written is durable, or with the first error. More may be written afterwards.
func (s *stagingIO) wait() error { return s.uploads.Wait() }

// Remove implements iceio.IO.
func (s *stagingIO) Remove(location string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed = append(s.removed, location)
	return nil
}

// Open implements iceio.IO.
func (s *stagingIO) Open(location string) (iceio.File, error) {
	content, err := s.ReadFile(location)
	if err != nil {
		return nil, err
	}
	return &memoryFile{Reader: bytes.NewReader(content), name: location}, nil
}

// ReadFile implements iceio.ReadFileIO.
func (s *stagingIO) ReadFile(location string) ([]byte, error) {
	name, err := nameOf(s.store, location)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	content, mine := s.written[name]
	ahead := s.fetched[location]
	s.mu.Unlock()
	if mine {
		return content, nil
	}
	if content, ok := s.known.get(name); ok {
		return content, nil
	}
	if ahead == nil && location != s.parent {
		ahead = s.fetchFrom(location)
	}
	if ahead == nil {
		return s.fileIO.ReadFile(location)
	}
	<-ahead.done
	return ahead.content, ahead.err
}

// fetchFrom starts to fetch a manifest of the parent snapshot together with those that will be merged with it, and returns nil if
// location is not one.
func (s *stagingIO) fetchFrom(location string) *fetch {
	var bin []iceberg.ManifestFile
	total := int64(0)
	for _, manifest := range s.parentManifests() {
		if len(bin) == 0 && manifest.FilePath() != location {
			continue
		}
		if total += manifest.Length(); len(bin) > 0 && total > s.merged {
			break
		}
		bin = append(bin, manifest)
	}
	if len(bin) == 0 {
		return nil
	}
	slots := make(chan struct{}, s.parallel)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, manifest := range bin {
		path := manifest.FilePath()
		if s.fetched[path] != nil {
			continue
		}
		f := &fetch{done: make(chan struct{})}
		s.fetched[path] = f
		go func() {
			slots <- struct{}{}
			f.content, f.err = s.read(path, manifest.Length())
			<-slots
			close(f.done)
		}()
	}
	return s.fetched[location]
}

// parentManifests lists the data manifests of the snapshot that the commit builds on; nothing if they cannot be told.
func (s *stagingIO) parentManifests() []iceberg.ManifestFile {
	if s.parent == "" {
		return nil
	}
	list, err := s.read(s.parent, 0)
	if err != nil {
		return nil // the caller will meet the error itself
	}
	manifests, err := iceberg.ReadManifestList(bytes.NewReader(list))
	if err != nil {
		return nil
	}
	data := manifests[:0]
	for _, manifest := range manifests {
		if manifest.ManifestContent() == iceberg.ManifestContentData {
			data = append(data, manifest)
		}
	}
	return data
}

// finish waits for whatever is still on its way, which is needed before anything is deleted, and returns the names of what was
// written and the locations of what was removed.
func (s *stagingIO) finish() (created, removed []string) {
	_ = s.wait() // whoever needed to know was told
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.fetched {
		<-f.done
	}
	return s.created, s.removed
}
