// Package imports holds the rules of ARCHITECTURE.md about which package may import which. Its test reads them from that page and
// checks every package of the module.
package imports

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Package is a package of the module and what its files, tests excepted, import.
type Package struct {
	ImportPath string
	Imports    []string
}

// Rules are the tables of ARCHITECTURE.md.
type Rules struct {
	Module string         // the module's path
	Levels map[string]int // package, or "dir/*" for any below dir, relative to the module ("." is its root), to level
	Homes  []Home
}

// Home says which packages are alone in importing a library.
type Home struct {
	Library  string   // import path; the packages below it belong to it
	Packages []string // relative to the module
}

// bannedNames say nothing about what a package is for.
var bannedNames = []string{"util", "utils", "common", "types", "pkg", "helper", "helpers", "misc", "base", "shared"}

// quoted finds the names between backquotes.
var quoted = regexp.MustCompile("`([^`]+)`")

// Parse reads the rules from the text of ARCHITECTURE.md: the table whose header begins with "| level | package |" and the one whose
// header begins with "| library | only imported by |".
func Parse(module, page string) (Rules, error) {
	rules := Rules{Module: module, Levels: map[string]int{}}
	for _, row := range table(page, "level", "package") {
		level, err := strconv.Atoi(row[0])
		if err != nil {
			return Rules{}, fmt.Errorf("level %q of the row %v is no number", row[0], row)
		}
		for _, match := range quoted.FindAllStringSubmatch(row[1], -1) {
			if _, twice := rules.Levels[match[1]]; twice {
				return Rules{}, fmt.Errorf("package %q is in the table twice", match[1])
			}
			rules.Levels[match[1]] = level
		}
	}
	for _, row := range table(page, "library", "only imported by") {
		home := Home{Library: strings.Trim(row[0], "`")}
		for _, match := range quoted.FindAllStringSubmatch(row[1], -1) {
			home.Packages = append(home.Packages, match[1])
		}
		rules.Homes = append(rules.Homes, home)
	}
	if len(rules.Levels) == 0 || len(rules.Homes) == 0 {
		return Rules{}, fmt.Errorf("found %d packages and %d libraries in the tables; their headers are %q and %q",
			len(rules.Levels), len(rules.Homes), "| level | package |", "| library | only imported by |")
	}
	return rules, nil
}

// table returns the cells of the Markdown table whose header begins with the given cells.
func table(page string, header ...string) [][]string {
	var rows [][]string
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) >= len(header) && slices.Equal(cells[:len(header)], header):
			inside = true
		case inside && strings.Trim(cells[0], "-:") != "":
			rows = append(rows, cells)
		}
	}
	return rows
}

// Check returns a line for each breach of the rules, sorted, and none if all is well.
func (r Rules) Check(packages []Package) []string {
	var breaches []string
	used := map[string]bool{}
	for _, p := range packages {
		name := r.relative(p.ImportPath)
		if slices.Contains(bannedNames, path.Base(name)) {
			breaches = append(breaches, fmt.Sprintf("%s: the name says nothing; name the package after what it does", name))
		}
		row, level, ok := r.level(name)
		if !ok {
			breaches = append(breaches, fmt.Sprintf("%s: is not in the table of levels in ARCHITECTURE.md", name))
			continue
		}
		used[row] = true
		for _, imported := range p.Imports {
			if breach := r.checkImport(name, level, imported); breach != "" {
				breaches = append(breaches, fmt.Sprintf("%s: imports %s: %s", name, imported, breach))
			}
		}
	}
	for row := range r.Levels {
		if !used[row] {
			breaches = append(breaches, fmt.Sprintf("%s: is in the table of levels in ARCHITECTURE.md, but there is no such package", row))
		}
	}
	slices.Sort(breaches)
	return breaches
}

// checkImport says what is wrong with one import, or nothing.
func (r Rules) checkImport(name string, level int, imported string) string {
	if imported == r.Module || strings.HasPrefix(imported, r.Module+"/") {
		return r.checkOwn(name, level, r.relative(imported))
	}
	home := r.homeOf(imported)
	if home == nil || slices.Contains(home.Packages, name) {
		return ""
	}
	return "only " + strings.Join(home.Packages, ", ") + " may"
}

// checkOwn says what is wrong with the import of one of our packages, or nothing.
func (r Rules) checkOwn(name string, level int, imported string) string {
	_, importedLevel, ok := r.level(imported)
	switch {
	case !ok:
		return "" // reported for the imported package itself
	case strings.HasPrefix(imported, "internal/") && level < topLevel(r.Levels):
		return "internal packages are for tests and programs"
	case importedLevel > level:
		return fmt.Sprintf("from level %d up to level %d", level, importedLevel)
	case importedLevel == level && !strings.HasPrefix(name, imported+"/") && !strings.HasPrefix(imported, name+"/"):
		return fmt.Sprintf("packages on one level (%d) are strangers, but for a folder and the folders in it", level)
	}
	return ""
}

// topLevel returns the level of the programs.
func topLevel(levels map[string]int) int {
	top := 0
	for _, level := range levels {
		top = max(top, level)
	}
	return top
}

// homeOf returns the most specific rule for a library, or nil.
func (r Rules) homeOf(imported string) *Home {
	var best *Home
	for i, home := range r.Homes {
		if imported != home.Library && !strings.HasPrefix(imported, home.Library+"/") {
			continue
		}
		if best == nil || len(home.Library) > len(best.Library) {
			best = &r.Homes[i]
		}
	}
	return best
}

// level returns the row and the level of a package: its own, or that of the nearest "dir/*" above it.
func (r Rules) level(name string) (row string, level int, ok bool) {
	if level, ok := r.Levels[name]; ok {
		return name, level, true
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if level, ok := r.Levels[dir+"/*"]; ok {
			return dir + "/*", level, true
		}
	}
	return "", 0, false
}

// relative returns a package's path relative to the module.
func (r Rules) relative(importPath string) string {
	if importPath == r.Module {
		return "."
	}
	return strings.TrimPrefix(importPath, r.Module+"/")
}
