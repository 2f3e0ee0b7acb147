package webhdfs

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// shunned is how long a datanode is not asked that failed, if others can be. The namenode takes that long or longer to notice.
const shunned = 30 * time.Second

// datanodes remembers which datanodes failed, so that not every read has to wait for a hung one.
type datanodes struct {
	mu       sync.Mutex
	now      func() time.Time
	failed   map[string]time.Time // by the address of the web interface, until when it is shunned
	transfer map[string]string    // address of the web interface to the one for data, by which the namenode knows it
}

// newDatanodes returns a memory that is empty.
func newDatanodes(now func() time.Time) *datanodes {
	return &datanodes{now: now, failed: map[string]time.Time{}, transfer: map[string]string{}}
}

// fail shuns a datanode for a while.
func (d *datanodes) fail(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed[address] = d.now().Add(shunned)
}

// well ends the shunning of a datanode that answered.
func (d *datanodes) well(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.failed, address)
}

// forgive ends the shunning of all.
func (d *datanodes) forgive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.failed)
}

// isShunned tells whether a datanode failed a short while ago, and whether the namenode can be told so.
func (d *datanodes) isShunned(address string) (is, named bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	until, is := d.failed[address]
	if is && !d.now().Before(until) {
		delete(d.failed, address)
		is = false
	}
	return is, d.transfer[address] != ""
}

// excluded returns the datanodes that the namenode should not choose, as it wants them named.
func (d *datanodes) excluded() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	now := d.now()
	for address, until := range d.failed {
		if name := d.transfer[address]; name != "" && now.Before(until) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// locatedBlocks is what is used of the answer to GET_BLOCK_LOCATIONS.
type locatedBlocks struct {
	LocatedBlocks struct {
		LocatedBlocks []struct {
			Locations []struct {
				HostName       string `json:"hostName"`
				IPAddr         string `json:"ipAddr"`
				InfoPort       int    `json:"infoPort"`
				InfoSecurePort int    `json:"infoSecurePort"`
				XferPort       int    `json:"xferPort"`
			} `json:"locations"`
		} `json:"locatedBlocks"`
	}
}

// learnDatanodes asks the namenode for the addresses of the datanodes that hold a part of a file: locations name their web interfaces,
// but excludedatanodes wants the ports for data. Where that cannot be learnt, nothing can be excluded, and the namenode is asked again
// and again instead.
func (s *Store) learnDatanodes(ctx context.Context, path string, off, length int64) {
	var answer locatedBlocks
	err := s.call(ctx, request{
		method: http.MethodGet, op: "GET_BLOCK_LOCATIONS", path: path,
		params: []string{"offset", strconv.FormatInt(off, 10), "length", strconv.FormatInt(length, 10)},
	}, &answer)
	if err != nil {
		s.log.DebugContext(ctx, "webhdfs: the datanodes' addresses are not known", "path", path, "error", err)
		return
	}
	s.datanodes.mu.Lock()
	defer s.datanodes.mu.Unlock()
	for _, b := range answer.LocatedBlocks.LocatedBlocks {
		for _, l := range b.Locations {
			name := net.JoinHostPort(l.IPAddr, strconv.Itoa(l.XferPort))
			for _, host := range []string{l.HostName, l.IPAddr} {
				s.datanodes.transfer[net.JoinHostPort(host, strconv.Itoa(l.InfoPort))] = name
				if l.InfoSecurePort > 0 {
					s.datanodes.transfer[net.JoinHostPort(host, strconv.Itoa(l.InfoSecurePort))] = name
				}
			}
		}
	}
}
