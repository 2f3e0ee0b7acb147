package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// stateFile holds what all processes together keep in the directory.
	stateFile = "state"
	// stateBytes is its size.
	stateBytes = 64
	// stateVersion is the version of its layout.
	stateVersion = 1
	// publishPart: a process adds what it wrote to the state whenever that is this part of a bound, or publishBytes.
	publishPart  = 64
	publishBytes = 16 << 20
	// recount is after how long the files are counted again, since kills and overwritten files make the state inexact.
	recount = time.Hour
	// lockAttempts is how often Close tries to lock the state, a millisecond apart.
	lockAttempts = 50
)

var stateMagic = []byte("firnuse\x00")

// state is the content of the state file.
type state struct {
	bytes, files           int64 // block files in the directory
	counted                int64 // when they were last counted; nanoseconds since 1970, 0: never
	boundBytes, boundFiles int64 // Options of the process that wrote it last
}

func (st state) append(b []byte) []byte {
	begin := len(b)
	b = append(b, stateMagic...)
	b = binary.LittleEndian.AppendUint32(b, stateVersion)
	b = binary.LittleEndian.AppendUint32(b, 0)
	for _, v := range []int64{st.bytes, st.files, st.counted, st.boundBytes, st.boundFiles} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[begin:], castagnoli))
	return append(b, 0, 0, 0, 0)
}

// decodeState returns the zero state, which was never counted, for bytes that are no state.
func decodeState(b []byte) state {
	const sumAt = stateBytes - 8
	if len(b) != stateBytes || !bytes.HasPrefix(b, stateMagic) || binary.LittleEndian.Uint32(b[8:]) != stateVersion ||
		crc32.Checksum(b[:sumAt], castagnoli) != binary.LittleEndian.Uint32(b[sumAt:]) {
		return state{}
	}
	at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[16+8*i:])) }
	return state{bytes: at(0), files: at(1), counted: at(2), boundBytes: at(3), boundFiles: at(4)}
}

// usage is what this process changed in the directory and has not told the others yet.
type usage struct {
	mu           sync.Mutex
	bytes, files int64
	sweeping     sync.Mutex
}

// take returns the changes and forgets them.
func (u *usage) take() (bytes, files int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	bytes, files = u.bytes, u.files
	u.bytes, u.files = 0, 0
	return bytes, files
}

// add adds changes and returns their sum.
func (u *usage) add(bytes, files int64) (allBytes, allFiles int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bytes, u.files = u.bytes+bytes, u.files+files
	return u.bytes, u.files
}

// account takes note that block files were written or deleted, tells other processes when it is enough, and evicts blocks when there are
// too many.
func (s *Store) account(bytes, files int64) {
	allBytes, allFiles := s.usage.add(bytes, files)
	if abs(allBytes) >= min(s.opts.Bytes/publishPart, publishBytes) || abs(allFiles) >= int64(s.opts.Objects)/publishPart {
		s.publishUsage(false)
	}
}

func abs(n int64) int64 { return max(n, -n) }

// publishUsage adds this process's changes to the state. It gives up if another process is at it, unless patient: the changes are kept then.
func (s *Store) publishUsage(patient bool) {
	bytes, files := s.usage.take()
	if bytes == 0 && files == 0 {
		return
	}
	var now state
	done, err := s.disk.updateState(patient, func(st state) state {
		st.bytes, st.files = max(st.bytes+bytes, 0), max(st.files+files, 0)
		st.boundBytes, st.boundFiles = s.opts.Bytes, int64(s.opts.Objects)
		now = st
		return st
	})
	if err != nil {
		if !isAbsent(err) {
			s.trouble("update its state file", err)
		}
		return // the directory was deleted, or it is counted when it works again
	}
	if !done {
		s.usage.add(bytes, files)
		return
	}
	age := s.now().UnixNano() - now.counted
	if now.counted == 0 || age < 0 || age > int64(recount) || now.bytes > s.opts.Bytes || now.files > int64(s.opts.Objects) {
		s.sweep(0)
	}
}

// updateState changes the state file, which is made if it is missing. It returns false if another process holds its lock.
func (d *disk) updateState(patient bool, change func(state) state) (done bool, err error) {
	f, err := os.OpenFile(filepath.Join(d.root, stateFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for attempt := 1; ; attempt++ {
		locked, err := lockFile(f)
		if err != nil {
			return false, err
		}
		if locked {
			break
		}
		if !patient || attempt == lockAttempts {
			return false, nil
		}
		time.Sleep(time.Millisecond)
	}
	b := make([]byte, stateBytes)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	_, err = f.WriteAt(change(decodeState(b[:n])).append(nil), 0)
	return err == nil, err
}

// readState returns the state, and the zero state if there is none.
func (d *disk) readState() (state, error) {
	b, err := os.ReadFile(filepath.Join(d.root, stateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return state{}, err
	}
	return decodeState(b), nil
}
