package faultproxy

import (
	"io"
	"net/http"
	"time"
)

// forward sends the request to the server and its answer, edited if edit is not nil, to the client: in pieces of so many bytes with a
// pause before each, or as it comes if piece is zero. If the server cannot be reached or hangs up, so does the proxy.
func (x *exchange) forward(edit func(*http.Response), piece int, pause time.Duration) {
	response, err := x.send()
	if err != nil {
		x.reset()
		return
	}
	defer func() { _ = response.Body.Close() }()
	if edit != nil {
		edit(response)
	}
	header := x.w.Header()
	for key, values := range response.Header {
		if key != "Connection" && key != "Transfer-Encoding" {
			header[key] = values
		}
	}
	for _, key := range []string{"Date", "Content-Type"} {
		if _, ok := header[key]; !ok {
			header[key] = nil // else Go's server makes one up
		}
	}
	x.status = response.StatusCode
	x.w.WriteHeader(response.StatusCode)
	if err := x.copyBody(response.Body, piece, pause); err != nil {
		x.drop()
	}
}

// copyBody sends a body to the client.
func (x *exchange) copyBody(body io.Reader, piece int, pause time.Duration) error {
	pooled := x.proxy.buffers.Get().(*[]byte)
	defer x.proxy.buffers.Put(pooled)
	buffer := *pooled
	if piece > 0 {
		buffer = buffer[:min(piece, len(buffer))]
	}
	controller := http.NewResponseController(x.w)
	for {
		if pause > 0 {
			select {
			case <-time.After(pause):
			case <-x.r.Context().Done():
				return x.r.Context().Err()
			case <-x.healed:
				pause, buffer = 0, *pooled
			}
		}
		n, err := body.Read(buffer)
		if n > 0 {
			if _, err := x.w.Write(buffer[:n]); err != nil {
				return err
			}
			x.sent += int64(n)
		}
		if n < len(buffer) || piece > 0 {
			if err := controller.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// truncatedBody is a body that ends with an error after some bytes.
type truncatedBody struct {
	io.ReadCloser
	left int64
	wait func() // called before the error, if not nil
}

// Read implements io.Reader.
func (b *truncatedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		if b.wait != nil {
			b.wait()
		}
		return 0, errStopped
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// countingBody counts the bytes of a request's body.
type countingBody struct {
	io.ReadCloser
	count *int64
}

// Read implements io.Reader.
func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	*b.count += int64(n)
	return n, err
}
