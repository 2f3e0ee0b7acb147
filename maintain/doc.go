// Package maintain looks after tables without changing their rows: Verify checks that everything the metadata and the indexes claim is
// true of the data, and PlanIndex finds sidecar indexes that are missing, damaged or out of date, which Apply builds from the data by the same
// code that builds them while data is written.
//
// Maintenance is planned, looked at, and then applied: what PlanIndex returns has changed nothing yet.
package maintain
