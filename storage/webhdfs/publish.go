package webhdfs

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/firnlog/firn/storage"
)

// publish gives an uploaded file its name. Renaming with renameoptions=NONE never replaces a file and never moves into a directory, as
// renaming without options would, and the namenode decides between several writers. When an answer is lost, the rename is simply made
// again: if the first one was carried out, the source is gone then, and the number of the file under the name tells whether it is ours.
func (w *writer) publish(ctx context.Context, f fileStatus) error {
	s := w.s
	source := w.temps[len(w.temps)-1]
	r := request{
		method: http.MethodPut, op: "RENAME", path: source,
		params: []string{"destination", s.path(w.name), "renameoptions", "NONE"},
	}
	t := s.tries(r.op)
	for unheard := false; ; {
		err := s.call(ctx, r, nil)
		if err != nil && unheard && (errors.Is(err, storage.ErrNotExist) || errors.Is(err, storage.ErrExist)) {
			err = w.afterUnheard(ctx, f, err)
		}
		switch {
		case err == nil:
			w.temps = w.temps[:len(w.temps)-1]
			s.objects.Add(w.name, known{size: f.Length, fileID: f.FileID})
			w.discardTemps(ctx)
			return nil
		case errors.Is(err, storage.ErrExist):
			return err
		case errors.Is(err, storage.ErrNotExist):
			// Not one of our names: wrapping ErrNotExist would mislead.
			return fmt.Errorf("the uploaded file %s was removed before it was published: %v", source, err) //nolint:errorlint // see above
		}
		var remote *RemoteError
		unheard = unheard || !errors.As(err, &remote) || remote.Status >= http.StatusInternalServerError
		if err := t.again(ctx, err); err != nil {
			if unheard {
				err = fmt.Errorf("whether the object was published is not known, look for it: %w", err)
			}
			return err
		}
	}
}

// afterUnheard finds out whether a rename whose answer was lost was carried out, after one that was refused.
func (w *writer) afterUnheard(ctx context.Context, f fileStatus, refused error) error {
	there, err := w.s.status(ctx, w.s.path(w.name))
	switch {
	case err == nil && f.FileID != 0 && there.FileID == f.FileID:
		return nil
	case err != nil && !errors.Is(err, storage.ErrNotExist):
		return err
	}
	return refused
}

// discardTemps removes what failed uploads have left.
func (w *writer) discardTemps(ctx context.Context) {
	for _, temp := range w.temps {
		w.s.discard(ctx, temp)
	}
	w.temps = nil
}
