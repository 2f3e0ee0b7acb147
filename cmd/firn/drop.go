package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/firnlog/firn"
)

type dropReport struct {
	Table   string `json:"table"`
	Dropped bool   `json:"dropped"`
	Note    string `json:"note,omitempty"`
}

func (a *app) dropCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "drop TABLE",
		Short: "Remove a table with its data and indexes",
		Args:  exactArgs("TABLE"),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.drop(cmd.Context(), args[0]) },
	}
}

func (a *app) drop(ctx context.Context, name string) (err error) {
	lake, table, err := a.openTable(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lake.Close()) }()
	r := dropReport{Table: table.Name(), Dropped: true}
	if err := lake.Drop(ctx, name); errors.Is(err, firn.ErrFilesKept) {
		r.Note = err.Error()
	} else if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(r)
	}
	if r.Note != "" {
		a.warnf("%s", r.Note)
	}
	return a.printf("Dropped %s\n", r.Table)
}
