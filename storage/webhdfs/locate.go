package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// askedAgain is how often the namenode is asked for another datanode than a shunned one.
const askedAgain = 4

// redirect asks the namenode which datanode serves a request, and returns the location: one that did not fail lately, if there is one.
// A gateway (HttpFS) may answer a read itself; then the response is returned, and the caller closes its body.
func (s *Store) redirect(ctx context.Context, r request, off, length int64) (*url.URL, *http.Response, error) {
	plain := r.params
	for asked := 1; ; asked++ {
		r.params = append(slices.Clone(plain), "excludedatanodes", s.datanodes.excluded())
		response, err := s.send(ctx, r)
		if remote, ok := errors.AsType[*RemoteError](err); ok && strings.Contains(remote.Message, "not excluded nodes") {
			s.datanodes.forgive() // all that could serve it failed: ask any of them
			return nil, nil, err
		}
		if err != nil {
			return nil, nil, err
		}
		if response.StatusCode != http.StatusTemporaryRedirect {
			return nil, response, nil
		}
		_ = response.Body.Close()
		location, err := s.location(response, r.path)
		if err != nil {
			return nil, nil, err
		}
		is, named := s.datanodes.isShunned(location.Host)
		if !is || asked >= askedAgain {
			return location, nil, nil
		}
		if !named && r.op == "OPEN" {
			s.learnDatanodes(ctx, r.path, off, length)
		}
	}
}

// location returns where a response redirects to. The path is written as we write it: namenodes bring names into another normal form
// of Unicode, and so redirect to another file.
func (s *Store) location(response *http.Response, path string) (*url.URL, error) {
	text := response.Header.Get("Location")
	location, err := url.Parse(text)
	if err != nil || location.Host == "" || location.Scheme != "http" && location.Scheme != "https" {
		return nil, &transportError{op: "redirect", server: response.Request.URL.Host, err: errors.New("the location is no URL")}
	}
	location.Path, location.RawPath = prefix+path, prefix+escape(path, true)
	return location, nil
}

// isNamenode tells whether a location is one of the addresses that we authenticate ourselves to: HttpFS redirects to itself.
func (s *Store) isNamenode(location *url.URL) bool {
	return slices.Contains(s.addresses, location.Host)
}

// datanodeRequest returns a request to where the namenode redirected us.
func (s *Store) datanodeRequest(ctx context.Context, method string, location *url.URL) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, location.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the location that %s gave is not usable", location.Host) // the error would tell the token
	}
	if s.auth != nil && s.isNamenode(location) {
		if err := s.auth.authenticate(r); err != nil {
			return nil, err
		}
	}
	return r, nil
}
