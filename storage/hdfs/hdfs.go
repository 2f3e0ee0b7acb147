// Package hdfs keeps objects as files below one directory of a Hadoop file system, through the client of github.com/colinmarc/hdfs.
//
// An object is kept locally until Commit, written to a hidden file beside its place, closed, and renamed to its name by a call that the
// namenode refuses if the name is taken: it appears whole or not at all, and never replaces another. Since the bytes are at hand until the
// namenode has answered, a datanode that dies or hangs costs a second attempt, not the object. What Commit has acknowledged was received
// by all datanodes of the pipeline; whether they have flushed it to their disks is a setting of theirs (dfs.datanode.synconclose).
//
// Reads go to other replicas when a datanode fails or hangs, and all operations are tried again for Options.RetryFor while the cluster
// restarts or fails over.
//
// The client library does not know erasure coding. Files and directories with such a policy are found out before they are touched and
// served by the store that Options.OpenWebHDFS opens.
//
// A process that is killed while it writes leaves a hidden file (storage.TempPrefix) behind. They are not listed; RemoveStale removes
// them. HDFS has no names with a colon: they are refused with storage.ErrInvalidName.
package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	hadoop "github.com/colinmarc/hdfs/v2"

	"github.com/firnlog/firn/storage"
)

// Store is a storage.Store of the files below one directory of HDFS. Make one with Open and end it with Close.
type Store struct {
	options     Options
	place       place
	user        string
	client      hadoop.ClientOptions // addresses and connections excepted
	replication int                  // 0: what the namenode says
	health      *health
	sessions    *sessions
	readers     *readers
	patience    readPatience
	coded       *coded
	renames     atomic.Bool // whether the exclusive rename was tried; see publish.go

	stop    chan struct{}
	stopped sync.WaitGroup
	close   sync.Once
}

var _ storage.Store = (*Store)(nil)

// openPatience bounds for how long Open tries to connect, so that a wrong address is reported soon.
const openPatience = 5 * time.Second

// Open connects to the file system that uri names and returns a store of the files below a directory of it, which need not exist:
// hdfs://host:port/dir, hdfs://host1:port,host2:port/dir for several namenodes, hdfs://nameservice/dir or hdfs:///dir (fs.defaultFS)
// with a Hadoop configuration directory.
func Open(ctx context.Context, uri string, options Options) (*Store, error) {
	s, err := configure(uri, options.withDefaults(), environment)
	if err != nil {
		return nil, fmt.Errorf("open HDFS store %q: %w", uri, err)
	}
	s.stopped.Go(s.sweep)
	err = s.retryFor(ctx, min(openPatience, s.options.RetryFor), "open", func(int) error {
		_, err := call(ctx, s.sessions, func(c *hadoop.Client) (string, error) { return c.User(), nil })
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open HDFS store %q: namenodes %s: %w", uri, strings.Join(s.place.nameNodes, ", "), err), s.Close())
	}
	return s, nil
}

// configure makes a store that is not connected.
func configure(uri string, o Options, env func(string) string) (*Store, error) {
	conf, err := loadSettings(o.ConfDir, env)
	if err != nil {
		return nil, err
	}
	s := &Store{options: o, client: conf.clientOptions(), stop: make(chan struct{})}
	if s.place, err = locate(uri, o, conf); err != nil {
		return nil, err
	}
	if s.replication, err = conf.replication(o); err != nil {
		return nil, err
	}
	if o.BlockBytes%checksumBytes != 0 {
		return nil, fmt.Errorf("Options.BlockBytes is %d, not a multiple of %d", o.BlockBytes, checksumBytes)
	}
	if err := protect(o.Kerberos, &s.client); err != nil {
		return nil, err
	}
	if err := login(o.Kerberos, &s.client, env); err != nil {
		return nil, err
	}
	if s.client.KerberosClient != nil {
		s.user = s.client.KerberosClient.Credentials.UserName()
	} else if s.user, err = userName(o, env); err != nil {
		return nil, err
	}
	s.client.User = s.user
	s.health = &health{now: o.Now, failedAt: map[string]time.Time{}}
	s.sessions = newSessions(o.Now, s.newSession)
	s.readers = newReaders(s)
	s.coded = &coded{store: s, dirs: map[string]time.Time{}}
	return s, nil
}

// sweep closes what is idle, until the store is closed.
func (s *Store) sweep() {
	o := s.options
	// When no reader or writer uses a connection any more: they have parked or ended by then.
	forgotten := 2 * max(o.IdleTimeout, o.OperationTimeout<<mostPatience, writePatience*o.OperationTimeout)
	ticker := time.NewTicker(max(o.IdleTimeout/2, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			now := o.Now()
			s.readers.sweep(now)
			s.patience.less()
			s.sessions.sweep(now.Add(-o.IdleTimeout), now.Add(-forgotten))
		case <-s.stop:
			return
		}
	}
}

// Close ends all connections. Operations and writers still at work fail.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.stop)
		s.stopped.Wait()
		s.readers.close()
		s.sessions.close()
		err = s.coded.close()
		if s.client.KerberosClient != nil {
			s.client.KerberosClient.Destroy()
		}
	})
	return err
}

// URI implements storage.Store. Names are recorded as they are, without percent-encoding.
func (s *Store) URI(name string) string {
	if name == "" {
		return s.place.uri
	}
	return s.place.uri + "/" + name
}

// Traits tell how the store is best used: a read costs a round trip to the namenode for the first read of a file, and a connection to a
// datanode for each place in it.
func (s *Store) Traits() storage.Traits {
	traits := storage.RemoteTraits()
	traits.Parallel = 32
	return traits
}

// path returns the path of a name in the file system.
func (s *Store) path(name string) string { return path.Join(s.place.dir, name) }

// Stat implements storage.Store. It is one call to the namenode.
func (s *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	if err := check(ctx, "stat", name); err != nil {
		return storage.Info{}, err
	}
	st, err := s.status(ctx, s.path(name))
	if err == nil && st.dir {
		err = storage.ErrNotExist
	}
	if err != nil {
		return storage.Info{}, s.failed("stat", name, err)
	}
	return storage.Info{Name: name, Size: st.size, ModTime: st.modTime}, nil
}

// Delete implements storage.Store. Directories stay.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := check(ctx, "delete", name); err != nil {
		return err
	}
	s.readers.drop(name)
	defer s.readers.drop(name) // again, for those who opened it in the meantime
	err := s.retry(ctx, "delete", func(int) error { return s.remove(ctx, s.path(name)) })
	return s.failed("delete", name, err)
}

// remove deletes a file, not a directory. One that does not exist is no error.
func (s *Store) remove(ctx context.Context, file string) error {
	_, err := call(ctx, s.sessions, func(c *hadoop.Client) (struct{}, error) {
		st, err := statusOf(c, file)
		if err == nil && !st.dir {
			err = c.Remove(file)
		}
		return struct{}{}, err
	})
	if isAbsent(err) || errors.Is(err, storage.ErrNotExist) {
		return nil
	}
	return err
}

// status is what the namenode knows of a file or directory.
type status struct {
	id      uint64
	size    int64
	modTime time.Time
	dir     bool
	striped bool // erasure coded, or a directory whose new files are
}

// status asks the namenode, with retries.
func (s *Store) status(ctx context.Context, file string) (st status, err error) {
	err = s.retry(ctx, "stat", func(int) error {
		st, err = call(ctx, s.sessions, func(c *hadoop.Client) (status, error) { return statusOf(c, file) })
		return err
	})
	return st, err
}

// statusOf asks the namenode once.
func statusOf(c *hadoop.Client, file string) (status, error) {
	info, err := c.Stat(file)
	if err != nil {
		return status{}, explain(c, file, err)
	}
	st := status{size: info.Size(), modTime: info.ModTime(), dir: info.IsDir()}
	if raw, ok := info.Sys().(*hadoop.FileStatus); ok {
		st.id, st.striped = raw.GetFileId(), isStriped(raw)
	}
	return st, nil
}

// isStriped reports whether a file is erasure coded, or new files in a directory are.
func isStriped(raw *hadoop.FileStatus) bool {
	policy := raw.GetEcPolicy()
	return policy != nil && !strings.EqualFold(policy.GetName(), "REPLICATION")
}

// explain returns storage.ErrNotExist if an error of a file means that. To users who may not do everything the namenode says that they
// lack the permission to look into a directory if in truth it is a file.
func explain(c *hadoop.Client, file string, err error) error {
	if isAbsent(err) {
		return fmt.Errorf("%w: %w", storage.ErrNotExist, err)
	}
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	for above := path.Dir(file); above != "/"; above = path.Dir(above) {
		info, aboveErr := c.Stat(above)
		switch {
		case aboveErr == nil && !info.IsDir():
			return fmt.Errorf("%w: %s is a file", storage.ErrNotExist, above)
		case aboveErr == nil:
			return err
		case !errors.Is(aboveErr, fs.ErrPermission):
			return errors.Join(err, aboveErr)
		}
	}
	return err
}

// check refuses cancelled contexts and invalid names.
func check(ctx context.Context, operation, name string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %q: %w", operation, name, err)
	}
	if err := storage.CheckName(name); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if err := checkColon(name); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

// checkColon refuses what HDFS refuses.
func checkColon(name string) error {
	if strings.Contains(name, ":") {
		return fmt.Errorf("%w: %q holds a colon, which HDFS does not allow in names", storage.ErrInvalidName, name)
	}
	return nil
}
